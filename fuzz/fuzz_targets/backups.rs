//! What the programs of backups print.
#![no_main]

use liveops_domain::check::backups::formats::Tool;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    for tool in [Tool::Restic, Tool::Pgbackrest, Tool::Barman, Tool::WalG, Tool::Borg, Tool::Own] {
        let _ = tool.read(&text);
    }
});
