//! What a crash, a full disk, a second writer and an editor do to an incident's journal.

use std::fs;
use std::process::Stdio;
use std::thread;

use crate::incident::{ID, OPEN, at, fixed, journal, show};

#[test]
fn a_line_torn_anywhere_is_set_aside_and_the_journal_goes_on() {
    let env = fixed();
    env.run(OPEN).expect_code(0);
    let path = journal(&env, ID);
    let whole = fs::read(&path).unwrap();
    let events = whole.iter().filter(|byte| **byte == b'\n').count();
    env.run(["incident", "note", "this line is torn"]).expect_code(0);
    let longer = fs::read(&path).unwrap();
    let line = &longer[whole.len()..];
    for cut in [1, line.len() / 3, line.len() / 2, line.len() - 2, line.len() - 1] {
        fs::write(&path, [&whole[..], &line[..cut]].concat()).unwrap();
        fs::remove_file(path.with_extension("jsonl.head")).unwrap();
        let torn = show(&env, ID);
        assert_eq!(torn["faults"].as_array().unwrap().len(), 1, "cut at {cut}: it is reported");
        env.run(["incident", "ack"]).expect_code(0);
        let after = show(&env, ID);
        assert_eq!(after["faults"], serde_json::json!([]), "cut at {cut}");
        assert_eq!(after["incident"]["phase"], "acknowledged");
        // The opening and its evidence, the line that was set aside (or kept, where only its end was missing), the ack.
        assert_eq!(after["incident"]["events"], events + 2, "cut at {cut}");
    }
}

#[test]
fn a_kill_at_any_time_loses_nothing_that_was_said_to_be_done() {
    let env = fixed();
    env.run(OPEN).expect_code(0);
    let mut done = 0;
    for round in 0..25_u64 {
        let mut child =
            env.bare(["incident", "note", "x", "-q"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // A kill in each phase of the run: it takes about as long as this loop sweeps over.
        let until = std::time::Instant::now() + std::time::Duration::from_millis(round * 2);
        while std::time::Instant::now() < until && child.try_wait().unwrap().is_none() {
            thread::yield_now();
        }
        // It may have ended by itself.
        let _ = child.kill();
        done += usize::from(child.wait().unwrap().success());
    }
    env.run(["incident", "note", "the last"]).expect_code(0);
    let shown = show(&env, ID);
    assert_eq!(shown["faults"], serde_json::json!([]));
    let notes = shown["incident"]["notes"].as_u64().unwrap();
    assert!(notes > done as u64, "{notes} notes, {done} runs said that it is done");
}

#[test]
fn two_people_write_at_once() {
    let env = fixed();
    env.run(OPEN).expect_code(0);
    thread::scope(|scope| {
        for person in ["ada", "bob"] {
            let env = &env;
            scope.spawn(move || {
                for n in 0..8 {
                    let text = format!("{person} {n}");
                    env.command(["incident", "note", &text]).env("LIVEOPS_ACTOR", person).run().expect_code(0);
                }
            });
        }
    });
    let shown = show(&env, ID);
    assert_eq!((&shown["incident"]["notes"], &shown["faults"]), (&16.into(), &serde_json::json!([])));
}

#[test]
fn a_full_disk_is_said_and_leaves_the_journal_whole() {
    let env = fixed();
    env.run(OPEN).expect_code(0);
    let path = journal(&env, ID);
    // Just beyond a block, so that the next line crosses the limit in its middle.
    while fs::metadata(&path).unwrap().len() % 512 < 400 {
        env.run(["incident", "note", "padding"]).expect_code(0);
    }
    let before = fs::read(&path).unwrap();
    let blocks = before.len() as u64 / 512 + 1;
    let (code, stderr) = env.limited(blocks, &["incident", "note", &"x".repeat(300)]);
    assert_eq!(code, 5, "{stderr}");
    assert!(stderr.contains("NOT IN THE JOURNAL (cannot append to"), "{stderr}");
    assert!(stderr.contains("liveops incident note xxx"), "what to type when there is room: {stderr}");
    assert_eq!(fs::read(&path).unwrap(), before, "no half of a line is left");
    env.run(["incident", "note", "space again"]).expect_code(0);
    assert_eq!(show(&env, ID)["faults"], serde_json::json!([]));
}

#[test]
fn what_is_no_event_at_the_end_holds_no_step_up() {
    for tail in ["\n", "\r\n", ">>>>>>> feature\n", "\n\n=======\n"] {
        let env = fixed();
        env.run(OPEN).expect_code(0);
        let path = journal(&env, ID);
        fs::write(&path, fs::read_to_string(&path).unwrap() + tail).unwrap();
        assert_ne!(show(&env, ID)["faults"], serde_json::json!([]), "{tail:?} is reported");
        env.run(["incident", "ack"]).expect_code(0);
        assert_eq!(show(&env, ID)["faults"], serde_json::json!([]), "{tail:?} is set aside");
    }
}

#[test]
fn a_clock_that_is_behind_changes_no_outcome() {
    let env = fixed();
    for (time, args) in [
        ("2026-01-15T10:30:00Z", &OPEN[..]),
        ("2026-01-15T10:40:00Z", &["incident", "severity", "p4"][..]),
        ("2026-01-15T10:35:00Z", &["incident", "severity", "p2"][..]),
        ("2026-01-15T10:36:00Z", &["incident", "mitigate", "x"][..]),
        ("2026-01-15T10:20:00Z", &["incident", "reopen", "not yet"][..]),
    ] {
        at(&env, time, args).expect_code(0);
    }
    let incident = show(&env, ID)["incident"].clone();
    assert_eq!((&incident["severity"], &incident["phase"]), (&"p2".into(), &"acknowledged".into()), "{incident:#}");
}

#[test]
fn a_journal_that_cannot_be_read_is_named_everywhere_and_hinders_no_other() {
    for text in ["", "nonsense\n", "\0\0\0\0"] {
        let env = fixed();
        env.run(OPEN).expect_code(0);
        fs::write(journal(&env, ID), text).unwrap();
        let status = env.run(["status", "-o", "json"]).expect_code(3).json();
        assert_eq!(status["verdict"], "unknown", "{text:?}");
        for args in [&["status"][..], &["incident", "list"][..], &["incident", "ack"][..], &["doctor"][..]] {
            let run = env.run(args);
            assert!((run.stdout.clone() + &run.stderr).contains(ID), "{text:?} {args:?}: {}{}", run.stdout, run.stderr);
        }
        env.run(["incident", "open", "--sev", "p2", "--title", "another"]).expect_code(0);
        env.run(["incident", "ack"]).expect_code(0);
    }
}

#[test]
fn of_several_who_acknowledge_at_once_one_has_it() {
    let env = fixed();
    env.run(OPEN).expect_code(0);
    let codes: Vec<i32> = thread::scope(|scope| {
        let people: Vec<_> = (0..4)
            .map(|n| {
                let env = &env;
                scope.spawn(move || {
                    env.command(["incident", "ack", ID]).env("LIVEOPS_ACTOR", &format!("u{n}")).run().code
                })
            })
            .collect();
        people.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == 4).count(), 3, "{codes:?}");
}

#[test]
fn what_was_edited_is_said() {
    let env = fixed();
    env.run(OPEN).expect_code(0);
    env.run(["incident", "note", "it was 03:12"]).expect_code(0);
    let path = journal(&env, ID);
    let text = fs::read_to_string(&path).unwrap().replace("it was 03:12", "it was 03:02");
    fs::write(&path, text).unwrap();
    let run = env.run(["incident", "show"]).expect_code(0);
    assert!(run.stdout.contains("JOURNAL: line"), "{}", run.stdout);
    assert!(run.stderr.contains("edited"), "{}", run.stderr);
    let audit = env.run(["audit", "verify"]).expect_code(1);
    assert!(audit.stdout.contains(&format!("the journal of {ID} is not as it was written")), "{}", audit.stdout);
}

#[test]
fn one_that_cannot_be_read_may_be_the_one_that_is_meant() {
    let env = fixed();
    env.run(OPEN).expect_code(0);
    let path = journal(&env, ID);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..30]).unwrap();
    for args in [
        &["incident", "ack"][..],
        &["incident", "show"],
        &["incident", "timeline"],
        &["incident", "note", "x"],
        &["incident", "resolve", "x"],
        &["postmortem", "new"],
    ] {
        let run = env.run(args).expect_code(3);
        assert!(run.stderr.contains(ID) && run.stderr.contains("is not known"), "{args:?}: {}", run.stderr);
    }
    let report = env.run(["report", "incidents"]);
    assert!(report.stdout.contains("no incident that can be read"), "{}", report.stdout);
    assert!(!report.stdout.contains("nobody was paged"), "{}", report.stdout);
    env.run(["audit", "verify"]).expect_code(1);
    // Another one that is open is meant, as before.
    env.run(["incident", "open", "--sev", "p2", "--title", "another"]).expect_code(0);
    env.run(["incident", "ack"]).expect_code(0);
}

#[test]
fn a_journal_that_is_no_file_is_named_and_not_followed() {
    for make in ["link", "folder"] {
        let env = fixed();
        env.run(OPEN).expect_code(0);
        let (path, real) = (journal(&env, ID), env.root().join("real.jsonl"));
        fs::rename(&path, &real).unwrap();
        match make {
            "link" => std::os::unix::fs::symlink(&real, &path).unwrap(),
            _ => fs::create_dir(&path).unwrap(),
        }
        let before = fs::read(&real).unwrap();
        let status = env.run(["status"]).expect_code(3);
        assert!(status.stdout.contains(&format!("{ID} cannot be read")), "{make}: {}", status.stdout);
        let acked = env.run(["incident", "ack", ID]);
        assert_ne!(acked.code, 0, "{make}: {}", acked.stdout);
        assert_eq!(fs::read(&real).unwrap(), before, "{make}: nothing is written through it");
        env.run(["incident", "open", "--sev", "p2", "--title", "another"]).expect_code(0);
    }
}
