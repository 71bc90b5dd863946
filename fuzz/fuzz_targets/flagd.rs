//! A definition of flagd: it is refused, or makes a flag that reads.
#![no_main]

use liveops_domain::flag::definition::Flag;
use liveops_domain::flag::flagd::import;
use liveops_domain::flag::reader::Reader;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (Ok(name), Ok(definition)) = ("flag".parse(), serde_json::from_slice(data)) else {
        return;
    };
    for reader in Reader::ALL {
        if let Ok(made) = import(&definition, &name, reader) {
            assert!(Flag::read(&made.value).is_ok());
        }
    }
});
