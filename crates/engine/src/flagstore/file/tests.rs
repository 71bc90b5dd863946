//! The file store: bytes, crashes, damage, permissions.

use chrono::{DateTime, Utc};

use crate::flagstore::file::*;

fn store() -> (tempfile::TempDir, FileFlags) {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = FileFlags::at(dir.path().join("flags.json"));
    (dir, store)
}

fn change(before: Option<&str>, after: Option<&str>) -> Write {
    let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
    Write {
        epoch: None,
        kill_switch: false,
        name: "a".parse().expect("a name"),
        expected: bytes(before),
        revision: Revision {
            op: format!("op-{before:?}-{after:?}"),
            flag: "a".into(),
            rev: 1,
            at: DateTime::<Utc>::from_timestamp(1_700_000_000, 0).expect("in range"),
            by: "ada".into(),
            reason: Some("it's \"time\"".into()),
            command: "liveops flag set a".into(),
            before: bytes(before),
            after: bytes(after),
        },
    }
}

async fn write(store: &FileFlags, before: Option<&str>, after: Option<&str>) -> WriteOutcome {
    let confirmed = Confirmed::for_test();
    let written = store.write(&change(before, after), &confirmed).await;
    written.expect("written")
}

const APPLIED: WriteOutcome = WriteOutcome::Applied { notified: false, unrecorded: None };

#[tokio::test]
async fn a_write_replaces_what_is_expected_and_nothing_else() {
    let (dir, store) = store();
    let name = "a".parse().expect("a name");
    assert_eq!(store.get(&name).await.expect("read"), None);
    fs::write(&store.path, "{\n  \"b\": {\"x\": 1e400 }\n}\n").expect("write");
    assert_eq!(write(&store, None, Some("{\"n\":1}")).await, APPLIED);
    assert_eq!(write(&store, None, Some("{}")).await, WriteOutcome::Conflict { found: Some(b"{\"n\":1}".to_vec()) });
    assert_eq!(write(&store, Some("{\"n\":1}"), Some("{ }")).await, APPLIED);
    let text = fs::read_to_string(&store.path).expect("read");
    assert_eq!(text, "{\n  \"b\": {\"x\": 1e400 },\n  \"a\": { }\n}\n");
    assert_eq!(write(&store, Some("{ }"), None).await, APPLIED);
    assert_eq!(write(&store, Some("{ }"), None).await, WriteOutcome::Conflict { found: None });
    let text = fs::read_to_string(&store.path).expect("read");
    assert_eq!(text, "{\n  \"b\": {\"x\": 1e400 }\n}\n");
    let history = store.history(Some(&name), None).await.expect("read");
    let after: Vec<_> = history.iter().map(|revision| revision.after.as_deref()).collect();
    assert_eq!(after, [None, Some(&b"{ }"[..]), Some(b"{\"n\":1}")]);
    assert_eq!(history[0].reason.as_deref(), Some("it's \"time\""));
    assert!(!dir.path().join("flags.pending").exists());
}

/// The four states that a crash can leave, and the next look at each.
#[tokio::test]
async fn a_crash_between_any_two_steps_loses_nothing_and_invents_nothing() {
    let (old, new) = ("{\"n\":1}", "{\"n\":2}");
    for (steps, took_place) in [(0, false), (1, false), (2, true), (3, true), (4, true)] {
        let (dir, store) = store();
        write(&store, None, Some(old)).await;
        let change = change(Some(old), Some(new));
        if steps >= 1 {
            store.put(&store.beside("pending"), &line::write(&change.revision).expect("text")).expect("put");
        }
        if steps >= 2 {
            store.put(&store.path, format!("{{\"a\":{new}}}\n").as_bytes()).expect("put");
        }
        if steps == 3 {
            // Killed while it wrote the line.
            let torn = line::write(&change.revision).expect("text");
            let path = store.beside("history.jsonl");
            let mut bytes = fs::read(&path).expect("read");
            bytes.extend(&torn[..torn.len() / 2]);
            fs::write(&path, bytes).expect("write");
        }
        if steps == 4 {
            store.append(&change.revision).expect("append");
        }
        let seen = |history: Vec<Revision>| history.iter().map(|revision| revision.after.clone()).collect::<Vec<_>>();
        let bytes = |text: &str| Some(text.as_bytes().to_vec());
        let mut want = vec![bytes(old)];
        if took_place {
            want.insert(0, bytes(new));
        }
        assert_eq!(seen(store.history(None, None).await.expect("read")), want, "after step {steps}");
        // The next writer settles it, and so it stays.
        let current = if took_place { new } else { old };
        assert_eq!(write(&store, Some(current), Some("{}")).await, APPLIED, "after step {steps}");
        want.insert(0, bytes("{}"));
        assert_eq!(seen(store.history(None, None).await.expect("read")), want, "after step {steps}");
        assert!(!dir.path().join("flags.pending").exists());
    }
}

#[tokio::test]
async fn what_is_no_object_of_flags_is_never_overwritten() {
    let (_dir, store) = store();
    for text in ["", "[]", "{\"a\":{}", "{\"a\":1,\"a\":2}"] {
        fs::write(&store.path, text).expect("write");
        let confirmed = Confirmed::for_test();
        let refused = store.write(&change(None, Some("{}")), &confirmed).await;
        assert!(matches!(refused, Err(Error::Damaged { .. })), "{text}: {refused:?}");
        assert_eq!(fs::read_to_string(&store.path).expect("read"), text);
    }
    fs::write(&store.path, "{\"a\":1,\"b\":\"x\",\"a\":2}").expect("write");
    let all = store.all().await.expect("read");
    assert_eq!(all, [("a".to_owned(), b"2".to_vec()), ("b".to_owned(), b"\"x\"".to_vec())]);
}

#[cfg(unix)]
#[tokio::test]
async fn permissions_and_links_stay() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    let (dir, store) = store();
    let real = dir.path().join("real.json");
    fs::write(&real, "{}").expect("write");
    fs::set_permissions(&real, Permissions::from_mode(0o640)).expect("chmod");
    std::os::unix::fs::symlink(&real, &store.path).expect("link");
    write(&store, None, Some("{}")).await;
    assert!(store.path.is_symlink());
    let mode = fs::metadata(&real).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(fs::read_to_string(&real).expect("read"), "{\"a\":{}}\n");
}

#[cfg(unix)]
#[tokio::test]
async fn owner_attributes_and_hard_links_stay() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let (dir, store) = store();
    fs::write(&store.path, "{}").expect("write");
    let other = dir.path().join("other.json");
    fs::hard_link(&store.path, &other).expect("link");
    write(&store, None, Some("{\"enabled\":true}")).await;
    assert_eq!(fs::read(&other).expect("read"), fs::read(&store.path).expect("read"), "both names lead to it");
    write(&store, Some("{\"enabled\":true}"), Some("{}")).await;
    assert_eq!(fs::read_to_string(&other).expect("read"), "{\"a\":{}}\n");
    assert!(!dir.path().join("flags.next").exists());
    fs::remove_file(&other).expect("remove");
    // Only root may give a file away; who is not root finds its own there.
    let given = std::os::unix::fs::chown(&store.path, Some(65534), Some(65534)).is_ok();
    fs::set_permissions(&store.path, fs::Permissions::from_mode(0o640)).expect("chmod");
    #[cfg(target_os = "linux")]
    let has_attribute = {
        use rustix::fs::{XattrFlags, setxattr};
        setxattr(&store.path, "user.team", b"game", XattrFlags::empty()).is_ok()
    };
    let before = fs::metadata(&store.path).expect("there");
    write(&store, Some("{}"), Some("{\"enabled\":false}")).await;
    let after = fs::metadata(&store.path).expect("there");
    assert_ne!(before.ino(), after.ino(), "it was replaced as a whole");
    assert_eq!((before.uid(), before.gid(), before.mode()), (after.uid(), after.gid(), after.mode()));
    assert!(!given || after.uid() == 65534);
    #[cfg(target_os = "linux")]
    if has_attribute {
        let mut value = [0_u8; 16];
        let length = rustix::fs::getxattr(&store.path, "user.team", value.as_mut_slice()).expect("kept");
        assert_eq!(&value[..length], b"game");
    }
}

#[tokio::test]
async fn a_write_in_place_that_was_cut_off_is_completed() {
    let (dir, store) = store();
    fs::write(&store.path, "{\"a\":{\"enab").expect("write");
    fs::write(dir.path().join("flags.next"), "{\"a\":{\"enabled\":true}}\n").expect("write");
    write(&store, Some("{\"enabled\":true}"), Some("{}")).await;
    assert_eq!(fs::read_to_string(&store.path).expect("read"), "{\"a\":{}}\n");
    assert!(!dir.path().join("flags.next").exists());
}

#[tokio::test]
async fn a_kill_switch_waits_for_no_lock_and_no_history() {
    let (dir, store) = store();
    fs::write(&store.path, "{\"a\":{\"enabled\":true},\"a\":{\"enabled\":true}}").expect("write");
    fs::create_dir(dir.path().join("flags.history.jsonl")).expect("something in the way");
    let _held = store.lock(PATIENCE).await.expect("lock");
    let mut kill = change(Some("{\"enabled\":true}"), Some("{\"enabled\":false}"));
    kill.kill_switch = true;
    let began = Instant::now();
    let done = store.write(&kill, &Confirmed::for_test()).await.expect("killed");
    assert!(matches!(&done, WriteOutcome::Applied { unrecorded: Some(_), .. }), "{done:?}");
    assert!(began.elapsed() < PATIENCE / 2);
    assert_eq!(store.get(&kill.name).await.expect("read"), kill.revision.after);
}
