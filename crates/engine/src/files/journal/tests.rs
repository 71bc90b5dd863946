//! The journal as a file: torn, cut short, read and written by several at once.

use std::fs;

use crate::files::journal::*;

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).expect("in range")
}

fn journal() -> (tempfile::TempDir, Journal) {
    let dir = tempfile::tempdir().expect("temp dir");
    let journal = Journal::at(dir.path().join("state/audit.jsonl"));
    (dir, journal)
}

#[test]
fn appends_and_reads_back() {
    let (_dir, journal) = journal();
    for n in 0..3 {
        journal.append(at(), "ada", "note", json!({ "n": n })).expect("append");
    }
    let reading = journal.read().expect("read");
    assert_eq!(reading.events.len(), 3);
    assert!(reading.faults.is_empty() && reading.torn.is_none());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(journal.path()), 0o600);
        assert_eq!(mode(journal.path().parent().expect("parent")), 0o700);
    }
}

#[test]
fn recent_events_are_read_from_the_end() {
    let (_dir, journal) = journal();
    let minute = chrono::TimeDelta::minutes(1);
    let recent = |since| {
        let mut numbers: Vec<u64> = Vec::new();
        journal.newest_first(since, |event| numbers.push(event.seq)).expect("read");
        numbers
    };
    assert!(recent(at()).is_empty());
    for n in 0..5 {
        let data = json!({ "n": n, "text": "x".repeat(5000) });
        journal.append(at() + minute * n, "ada", "note", data).expect("append");
    }
    assert_eq!(recent(at() + minute * 3), [5, 4]);
    assert_eq!(recent(at()).len(), 5);
    fs::remove_file(journal.path()).expect("remove");
    fs::create_dir(journal.path()).expect("a folder in its place");
    assert!(journal.newest_first(at(), |_| ()).is_err(), "what cannot be read is not empty");
}

#[test]
fn a_torn_line_is_kept_and_reported_wherever_it_tears() {
    let (_dir, journal) = journal();
    journal.append(at(), "ada", "note", json!({ "text": "x".repeat(9000) })).expect("append");
    let whole = fs::read(journal.path()).expect("read");
    for cut in [1, 20, whole.len() - 2] {
        fs::write(journal.path(), [&whole[..], &whole[..cut]].concat()).expect("tear");
        assert!(journal.read().expect("read").torn.is_some());
        journal.append(at(), "bob", "note", json!({})).expect("append");
        let reading = journal.read().expect("read");
        let kinds: Vec<&str> = reading.events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, ["note", "journal.repaired", "note"], "cut at {cut}");
        assert_eq!(reading.events[1].data["torn_line"].as_str().map(str::len), Some(cut));
        assert!(reading.faults.is_empty(), "{:?}", reading.faults);
        fs::write(journal.path(), &whole).expect("reset");
        fs::remove_file(journal.beside("head")).expect("reset");
    }
}

#[test]
fn a_missing_newline_is_only_added() {
    let (_dir, journal) = journal();
    journal.append(at(), "ada", "note", json!({})).expect("append");
    let whole = fs::read(journal.path()).expect("read");
    fs::write(journal.path(), &whole[..whole.len() - 1]).expect("tear");
    journal.append(at(), "ada", "note", json!({})).expect("append");
    let reading = journal.read().expect("read");
    assert_eq!(reading.events.len(), 2);
    assert!(reading.faults.is_empty());
}

#[test]
fn a_journal_cut_short_is_noticed() {
    let (_dir, journal) = journal();
    for _ in 0..3 {
        journal.append(at(), "ada", "note", json!({})).expect("append");
    }
    let text = fs::read_to_string(journal.path()).expect("read");
    let two: Vec<&str> = text.lines().take(2).collect();
    fs::write(journal.path(), two.join("\n") + "\n").expect("cut");
    assert_eq!(journal.read().expect("read").faults.len(), 1);
    journal.append(at(), "ada", "note", json!({})).expect("append");
    let reading = journal.read().expect("read");
    assert_eq!(reading.faults.len(), 1, "the next append does not hide it: {:?}", reading.faults);
}

#[test]
fn a_reader_between_two_writes_sees_no_fault() {
    let (_dir, journal) = journal();
    std::thread::scope(|scope| {
        let writer = journal.clone();
        let work = scope.spawn(move || {
            for n in 0..100 {
                writer.append(at(), "ada", "note", json!({ "n": n })).expect("append");
            }
        });
        while !work.is_finished() {
            let reading = journal.read().expect("read");
            assert!(reading.faults.is_empty(), "{:?}", reading.faults);
            assert!(reading.torn.is_none(), "{:?}", reading.torn);
        }
    });
}

#[test]
fn writers_do_not_lose_each_others_events() {
    let (_dir, journal) = journal();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let journal = journal.clone();
            scope.spawn(move || {
                for n in 0..25 {
                    journal.append(at(), "ada", "note", json!({ "writer": writer, "n": n })).expect("append");
                }
            });
        }
    });
    let reading = journal.read().expect("read");
    assert_eq!(reading.events.len(), 200);
    assert!(reading.faults.is_empty());
}
