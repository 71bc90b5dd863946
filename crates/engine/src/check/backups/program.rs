//! A program that lists backups.

use crate::clients::backup_tool::{Start, run};
use crate::config::backups::Program;
use crate::session::Session;
use liveops_domain::check::backups::formats::{Tool, barman_check, wal_verify};
use liveops_domain::check::backups::{Backup, Inventory};

/// Snapshots of restic that are weighed, where their list says no sizes (before 0.17).
const WEIGHED: usize = 6;

/// What it knows.
pub(super) async fn look(cx: &Session, program: &Program, archived: bool) -> Result<Inventory, String> {
    let config = cx.config().map_err(|error| error.reason())?;
    let (command, env) = config.program(program).map_err(|error| super::plain(&error))?;
    let folder = config.base(&program.origin);
    let folder = cx.dirs.work.join(folder);
    let (_, limit) = cx.timeouts().map_err(|error| error.reason())?;
    let start = Start { command: &command, env: &env, folder: &folder, limit };
    let stanza = program.stanza.as_deref();
    let list = run(&start, &program.tool.list(stanza), false).await?;
    let mut all = program.tool.read(&list).map_err(|why| format!("`{}`: {why}", command[0]))?;
    match program.tool {
        Tool::Restic => weigh(&start, &mut all).await,
        Tool::Barman => {
            let words = ["-f", "json", "check", stanza.unwrap_or("all")].map(ToOwned::to_owned);
            let said = run(&start, &words, true).await;
            all.faults.extend(said.map_or_else(|why| vec![why], |text| barman_check(&text)));
        }
        Tool::WalG if archived => {
            let words = ["wal-verify", "integrity", "timeline", "--json"].map(ToOwned::to_owned);
            let said = run(&start, &words, true).await;
            all.archive = said.ok().and_then(|text| wal_verify(&text));
        }
        _ => {}
    }
    Ok(all)
}

/// Asks for the size of the newest snapshots: `restic check` finds no error in one that holds nothing.
async fn weigh(start: &Start<'_>, all: &mut Inventory) {
    let mut newest: Vec<&mut Backup> = all.backups.iter_mut().filter(|backup| backup.bytes.is_none()).collect();
    newest.sort_by_key(|backup| std::cmp::Reverse(backup.finished));
    for snapshot in newest.into_iter().take(WEIGHED) {
        let words = ["stats", "--json", "--mode", "restore-size", &snapshot.id].map(ToOwned::to_owned);
        let Ok(text) = run(start, &words, false).await else { return };
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        snapshot.bytes = value["total_size"].as_u64();
    }
}
