//! The audit log: any lines, and any text sealed into an event, which then verifies.
#![no_main]

use chrono::DateTime;
use liveops_domain::change::journal;
use liveops_domain::change::journal::{Entry, Forks, Head};
use serde_json::Value;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    for forks in [Forks::Faults, Forks::Merged] {
        let _ = journal::verify::<journal::Event>(&text, None, forks);
    }
    let head = Head::default();
    let said = Value::String(text.clone().into_owned());
    let entry = Entry::new(DateTime::UNIX_EPOCH, &text, "note", said);
    let (line, event) = journal::seal(&head, entry);
    assert_eq!(journal::open(&head, &line), Ok(event));
    assert!(!line.contains('\n'), "an event is one line");
});
