//! The nine things that happened to people, each with its clean twin; and what the tools print.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::formats::{Tool, barman_check, is_partial, time_in_name, wal_verify};
use super::judge::judge;
use super::restore::Restore;
use super::{Archive, Backup, Demand, Inventory, Kind, Place, Run};
use crate::check::finding::{Findings, Level};

fn now() -> DateTime<Utc> {
    "2026-11-30T12:00:00Z".parse().expect("a time")
}

const HOUR: u64 = 3600;

fn demand() -> Demand {
    let place = |name: &str, off_site, immutable| Place { name: name.into(), off_site, immutable };
    Demand {
        name: "orders".into(),
        rpo: Duration::from_secs(26 * HOUR),
        rto: Some(Duration::from_secs(HOUR)),
        restore_every: Some(Duration::from_secs(30 * 24 * HOUR)),
        keep: Some(7),
        reach: None,
        look_every: Some(Duration::from_secs(24 * HOUR)),
        least_bytes: None,
        steady: false,
        encrypted: Some(true),
        places: vec![place("here", false, false), place("there", true, true)],
        archived: false,
    }
}

/// Nightly dumps of these sizes, the newest last.
fn nightly(sizes: &[u64]) -> Inventory {
    let dump = |(at, bytes): (usize, &u64)| Backup {
        id: format!("dump-{at}"),
        finished: now() - TimeDelta::hours(10) - TimeDelta::days((sizes.len() - 1 - at) as i64),
        bytes: Some(*bytes),
        kind: Kind::Full,
        broken: None,
    };
    Inventory { backups: sizes.iter().enumerate().map(dump).collect(), ..Inventory::default() }
}

fn growing() -> Inventory {
    nightly(&[100_000, 101_200, 102_900, 103_100, 104_700, 105_000, 106_300, 107_900])
}

fn restored(days: i64) -> Restore {
    Restore {
        name: "orders".into(),
        backup: "dump-7".into(),
        at: now() - TimeDelta::days(days),
        seconds: Some(1200),
        rows_ok: Some(true),
        note: None,
        evidence: None,
    }
}

fn look(demand: &Demand, inventory: &Inventory, restores: &[Restore]) -> Vec<(&'static str, Level)> {
    let mut found = Findings::default();
    judge(demand, inventory, restores, now(), &mut found);
    let mut all: Vec<_> = found.findings.iter().map(|finding| (finding.id, finding.level)).collect();
    all.extend(found.unknown.iter().map(|unknown| (unknown.id, Level::Low)));
    all
}

#[test]
fn a_good_set_passes() {
    assert_eq!(look(&demand(), &growing(), &[restored(3)]), []);
}

#[test]
fn what_happened_to_people_is_caught_and_its_twin_is_not() {
    let one = [restored(3)];
    // 91 nightly dumps of 3.3 KB each: the schema only.
    assert_eq!(look(&demand(), &nightly(&[3_300; 91]), &one), [("B04", Level::Medium), ("B08", Level::Low)][..1]);
    let floor = Demand { least_bytes: Some(1 << 20), ..demand() };
    assert_eq!(look(&floor, &nightly(&[3_300; 91]), &one)[0], ("B05", Level::High));
    // The file was emptied; the next snapshot holds nothing, and the tool's check finds no error.
    let mut emptied = growing();
    emptied.backups[7].bytes = Some(0);
    assert_eq!(look(&demand(), &emptied, &one)[0], ("B05", Level::High));
    // 2 GiB became 1 MiB.
    let shrunk = nightly(&[2 << 30, (2 << 30) + 5000, (2 << 30) + 9000, 1 << 20]);
    assert_eq!(look(&Demand { keep: None, ..demand() }, &shrunk, &one), [("B03", Level::High)]);
    // Yesterday's was verified, and today's does not exist: age first.
    let mut old = growing();
    old.backups.iter_mut().for_each(|backup| backup.finished -= TimeDelta::days(1));
    assert_eq!(look(&demand(), &old, &one), [("B01", Level::High)]);
    // It failed for five days; retention is shorter than anybody looks.
    let mut failing = growing();
    failing.backups.iter_mut().skip(3).for_each(|backup| backup.broken = Some("disk full".into()));
    failing.backups.drain(..2);
    let slow = Demand { look_every: Some(Duration::from_secs(7 * 24 * HOUR)), ..demand() };
    let found = look(&slow, &failing, &one);
    assert!(found.contains(&("B01", Level::High)) && found.contains(&("B05", Level::High)), "{found:?}");
    let few = nightly(&[100_000, 101_000]);
    assert!(look(&Demand { keep: Some(2), ..slow }, &few, &one).contains(&("B10", Level::High)));
    // The restore test stopped, and nothing said so.
    assert_eq!(look(&demand(), &growing(), &[restored(31)]), [("B07", Level::High)]);
    assert_eq!(look(&demand(), &growing(), &[])[0], ("B07", Level::High));
    // A host that never succeeded: no data is no pass.
    assert!(look(&demand(), &Inventory::default(), &one).contains(&("B01", Level::Blocker)));
    // A valid backup is shown although the last run failed.
    let mut failed = growing();
    failed.last_run = Some(Run { at: now(), failed: Some("no space".into()) });
    assert_eq!(look(&demand(), &failed, &one), [("B02", Level::High)]);
    failed.last_run = Some(Run { at: now(), failed: None });
    assert_eq!(look(&demand(), &failed, &one), []);
    // A database that is empty by its nature.
    let steady = Demand { steady: true, ..demand() };
    assert_eq!(look(&steady, &nightly(&[0; 8]), &one), []);
}

#[test]
fn what_nobody_knows_is_unknown() {
    let one = [restored(3)];
    let mut ahead = growing();
    ahead.backups[7].finished = now() + TimeDelta::hours(2);
    assert_eq!(look(&demand(), &ahead, &one), [("B01", Level::Low)]);
    let silent = Demand { encrypted: None, places: Vec::new(), archived: true, ..demand() };
    let ids: Vec<&str> = look(&silent, &growing(), &[]).iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, ["B07", "B06", "B08", "B09", "B11"]);
}

#[test]
fn archives_copies_and_times_are_judged() {
    let one = [restored(3)];
    let archived = Demand { archived: true, ..demand() };
    let with = |newest: i64, gaps: &[&str]| {
        let gaps = gaps.iter().map(ToString::to_string).collect();
        Inventory { archive: Some(Archive { newest: Some(now() - TimeDelta::hours(newest)), gaps }), ..growing() }
    };
    assert_eq!(look(&archived, &with(1, &[]), &one), []);
    assert_eq!(look(&archived, &with(40, &[]), &one), [("B06", Level::High)]);
    assert_eq!(look(&archived, &with(1, &["WAL 7 is missing"]), &one), [("B06", Level::High)]);
    let slow = Restore { seconds: Some(4000), ..restored(3) };
    assert_eq!(look(&demand(), &growing(), &[slow]), [("B08", Level::High)]);
    // Twice the data, twice the time.
    let grown = Restore { backup: "dump-0".into(), seconds: Some(3550), ..restored(3) };
    assert_eq!(look(&demand(), &growing(), &[grown]), [("B08", Level::Medium)]);
    let wrong = Restore { rows_ok: Some(false), ..restored(1) };
    assert_eq!(look(&demand(), &growing(), &[restored(3), wrong]), [("B07", Level::High)]);
    let near = Demand { places: vec![Place { name: "here".into(), off_site: false, immutable: false }], ..demand() };
    assert_eq!(look(&near, &growing(), &one), [("B09", Level::Medium)]);
    let open = Inventory { encrypted: Some(false), ..growing() };
    assert_eq!(look(&demand(), &open, &one), [("B11", Level::High)]);
}

#[test]
fn tools_print_what_is_read() {
    let restic = Tool::Restic
        .read(r#"[{"time":"2026-11-30T02:00:00.123456789+01:00","tree":"x","paths":["/d"],"hostname":"h","id":"abcdef0123","short_id":"abcdef01"},{"time":"2026-11-30T03:00:00Z","id":"1234567890","summary":{"backup_end":"2026-11-30T03:10:00Z","total_bytes_processed":12}}]"#)
        .expect("restic");
    assert_eq!(restic.backups[0].finished.to_rfc3339(), "2026-11-30T01:00:00.123456789+00:00");
    assert_eq!((restic.backups[1].id.as_str(), restic.backups[1].bytes), ("12345678", Some(12)));
    assert_eq!(Tool::Restic.read("null").expect("none").backups, []);
    let pgbackrest = Tool::Pgbackrest
        .read(r#"[{"archive":[{"max":"2","min":"1"}],"backup":[{"archive":{"start":"1","stop":"2"},"error":false,"info":{"size":26000},"label":"20261130-020000F","timestamp":{"start":1,"stop":1796004000},"type":"full"}],"cipher":"none","name":"main","status":{"code":3,"message":"missing stanza data"}}]"#)
        .expect("pgbackrest");
    assert_eq!((pgbackrest.backups[0].bytes, pgbackrest.encrypted), (Some(26000), Some(false)));
    assert_eq!(pgbackrest.faults, ["stanza main: missing stanza data"]);
    let barman = Tool::Barman
        .read(r#"{"main":[{"backup_id":"20261130T020000","end_time":"Mon Nov 30 02:05:00 2026","size_bytes":5,"status":"DONE"},{"backup_id":"20261130T080000","status":"FAILED"}]}"#)
        .expect("barman");
    assert_eq!(barman.last_run.and_then(|run| run.failed).as_deref(), Some("main: FAILED"));
    assert_eq!(barman.backups[0].finished.to_rfc3339(), "2026-11-30T02:05:00+00:00");
    let check =
        r#"{"main":{"archiver_errors":{"status":"FAILED","hint":"duplicates: 2"},"ssh":{"status":"OK","hint":""}}}"#;
    assert_eq!(barman_check(check), ["main: archiver errors failed: duplicates: 2"]);
    let wal_g = Tool::WalG
        .read(r#"[{"backup_name":"base_0001","time":"2026-11-30T02:00:00Z","wal_file_name":"0001","storage_name":"default","finish_time":"2026-11-30T02:09:00Z","compressed_size":7}]"#)
        .expect("wal-g");
    assert_eq!((wal_g.backups[0].bytes, wal_g.backups[0].kind), (Some(7), Kind::Full));
    let verify = r#"{"integrity":{"status":"FAILURE","details":[{"timeline_id":1,"start_segment":"A","end_segment":"B","segments_count":2,"status":"MISSING_LOST"}]}}"#;
    assert_eq!(wal_verify(verify).expect("read").gaps, ["WAL A to B is missing"]);
    let borg = Tool::Borg
        .read(r#"{"archives":[{"name":"a","start":"2026-11-30T02:00:00.000000","end":"2026-11-30T02:01:00.000000","stats":{"original_size":9}}],"encryption":{"mode":"repokey"}}"#)
        .expect("borg");
    assert_eq!((borg.backups[0].bytes, borg.encrypted), (Some(9), Some(true)));
    let own = Tool::Own.read(r#"{"backups":[{"id":"a","time":"2026-11-30T02:00:00Z","size":1,"ok":false}],"archive":{"newest":"2026-11-30T02:00:00Z"}}"#);
    assert_eq!(own.expect("own").last_run.and_then(|run| run.failed).as_deref(), Some("its own list says so"));
    for tool in [Tool::Restic, Tool::Pgbackrest, Tool::Barman, Tool::WalG, Tool::Borg, Tool::Own] {
        assert!(tool.read("7").is_err() && tool.read("nothing").is_err(), "{tool:?}");
    }
}

#[test]
fn a_name_may_say_when() {
    for (name, want) in [
        ("orders-2026-11-30.sql.gz", Some("2026-11-30T00:00:00+00:00")),
        ("dump_20261130T0215.tar", Some("2026-11-30T02:15:00+00:00")),
        ("db-2026-11-30_02-15-09.dump", Some("2026-11-30T02:15:09+00:00")),
        ("v17-20261130020000.bak", Some("2026-11-30T02:00:00+00:00")),
        ("orders.sql.gz", None),
        ("build-12345678.tar", None),
    ] {
        assert_eq!(time_in_name(name).map(|at| at.to_rfc3339()).as_deref(), want, "{name}");
    }
    assert!(is_partial("a.sql.gz.part") && !is_partial("a.sql.gz"));
}

/// As Barman 3.4 prints it on a host whose clock is one hour ahead of UTC, `backup_type` as 3.11 and later.
#[test]
fn barman_tells_what_runs_from_what_failed_and_its_clock_from_utc() {
    let list = r#"{"main": [{"backup_id": "20261130T060000", "status": "FAILED"}, {"backup_id": "20261130T090000", "status": "STARTED"}, {"backup_id": "20261130T020000", "end_time": "Mon Nov 30 02:03:10 2026", "end_time_timestamp": "1796000590", "retention_status": "-", "size": "22.9 MiB", "size_bytes": 24000000, "status": "DONE", "tablespaces": [], "wal_size": "0 B", "wal_size_bytes": 0, "backup_type": "incremental"}]}"#;
    let all = Tool::Barman.read(list).expect("barman");
    let run = all.last_run.expect("a last run");
    assert_eq!(
        (run.at.to_rfc3339().as_str(), run.failed.as_deref()),
        ("2026-11-30T05:00:00+00:00", Some("main: FAILED"))
    );
    let good = &all.backups[1];
    assert_eq!(
        (all.backups.len(), good.broken.as_deref(), good.bytes, good.kind),
        (2, None, Some(24_000_000), Kind::Incremental)
    );
    assert_eq!(good.finished.to_rfc3339(), "2026-11-30T01:03:10+00:00");
    let running = r#"{"main": [{"backup_id": "20261130T090000", "status": "STARTED"}]}"#;
    assert_eq!(Tool::Barman.read(running).expect("barman"), Inventory::default());
}

/// As `wal-g backup-list --detail --json` and `wal-g wal-verify integrity timeline --json` print them.
#[test]
fn wal_g_tells_deltas_lost_segments_and_another_timeline() {
    let detail = |name: &str, finish: &str| {
        format!(
            r#"{{"backup_name":"{name}","time":"2026-11-30T02:10:00Z","wal_file_name":"000000010000000100000072","storage_name":"default","start_time":"2026-11-30T02:00:00Z","finish_time":"{finish}","date_fmt":"%Y-%m-%dT%H:%M:%S.%fZ","hostname":"db1","data_dir":"/pg","pg_version":150004,"start_lsn":6207569960,"finish_lsn":6207570256,"is_permanent":false,"system_identifier":7000000000000000000,"timeline":1,"uncompressed_size":31000000,"compressed_size":7000000}}"#
        )
    };
    let list = [
        detail("base_000000010000000100000040", "2026-11-29T02:09:00.5Z"),
        detail("base_000000010000000100000072_D_000000010000000100000040", "2026-11-30T02:09:00.5Z"),
    ];
    let all = Tool::WalG.read(&format!("[{}]", list.join(","))).expect("wal-g");
    let kinds: Vec<Kind> = all.backups.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [Kind::Full, Kind::Incremental]);
    assert_eq!(all.backups[1].finished.to_rfc3339(), "2026-11-30T02:09:00.500+00:00");
    let part = |status: &str| {
        format!(
            r#"{{"timeline_id":4,"start_segment":"0000000400000004000000F1","end_segment":"000000040000000800000034","segments_count":836,"status":"{status}"}}"#
        )
    };
    let verify = |integrity: &str, part: &str, timeline: &str, current: u8| {
        let text = format!(
            r#"{{"integrity":{{"status":"{integrity}","details":[{part}]}},"timeline":{{"status":"{timeline}","details":{{"current_timeline_id":{current},"highest_storage_timeline_id":4}}}}}}"#
        );
        wal_verify(&text).expect("read").gaps
    };
    assert_eq!(verify("OK", &part("FOUND"), "OK", 4), [""; 0]);
    assert_eq!(verify("WARNING", &part("MISSING_UPLOADING"), "OK", 4), [""; 0]);
    assert_eq!(
        verify("FAILURE", &part("MISSING_LOST"), "OK", 4),
        ["WAL 0000000400000004000000F1 to 000000040000000800000034 is missing"]
    );
    assert_eq!(verify("OK", &part("FOUND"), "FAILURE", 3), ["the server is on timeline 3, the archive on 4"]);
}
