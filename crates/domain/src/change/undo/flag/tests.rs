//! What each undo comes to when the flag is as the change left it, and when it is not.

use crate::change::undo::flag::*;

fn revision(op: &str, rev: u64, before: Option<&str>, after: Option<&str>) -> Revision {
    let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
    Revision {
        op: op.into(),
        flag: "beta".into(),
        rev,
        at: DateTime::from_timestamp(1_700_000_000, 0).expect("in range"),
        by: "ada".into(),
        reason: None,
        command: "liveops flag set beta".into(),
        before: bytes(before),
        after: bytes(after),
    }
}

fn now(current: Option<&str>, history: &[Revision]) -> FlagNow {
    FlagNow { flag: "beta".into(), current: current.map(|text| text.as_bytes().to_vec()), history: history.to_vec() }
}

fn undo() -> FlagUndo {
    FlagUndo::RestoreFlags { flags: vec!["beta".into()] }
}

#[test]
fn the_value_of_before_comes_back_if_nobody_touched_it() {
    let first = revision("c1", 1, None, Some("A"));
    let second = revision("c2", 2, Some("A"), Some("B"));
    let world = [now(Some("B"), &[second.clone(), first.clone()])];
    let back = undo().decide("c2", &world, true).expect("nobody touched it");
    assert_eq!(back[0].from.as_deref(), Some(b"B".as_slice()));
    assert_eq!(back[0].to.as_deref(), Some(b"A".as_slice()));
    assert!(matches!(
        undo().decide("c1", &world, true),
        Err(Stale::Changed { by, .. }) if by.op == "c2"
    ));
    let drifted = [now(Some("C"), &[second, first.clone()])];
    assert!(matches!(undo().decide("c2", &drifted, true), Err(Stale::Drifted { .. })));
    // The undo of a creation removes it, and that of a removal brings it back.
    let created = [now(Some("A"), std::slice::from_ref(&first))];
    let back = undo().decide("c1", &created, true).expect("untouched");
    assert_eq!(back[0].to, None);
    let gone = [now(None, &[revision("c3", 2, Some("A"), None), first])];
    let back = undo().decide("c3", &gone, true).expect("untouched");
    assert_eq!(back[0].to.as_deref(), Some(b"A".as_slice()));
}

#[test]
fn one_change_after_the_other_is_taken_back() {
    let value = |pct: u8, rev: u8| {
        format!("{{\"percentage\":{pct},\"big\":12345678901234567890,\"_liveops\":{{\"rev\":{rev}}}}}")
    };
    let [first, second, third, undone] = [value(10, 1), value(20, 2), value(30, 3), value(20, 4)];
    let history = [
        revision("u3", 4, Some(&third), Some(&undone)),
        revision("c3", 3, Some(&second), Some(&third)),
        revision("c2", 2, Some(&first), Some(&second)),
        revision("c1", 1, None, Some(&first)),
    ];
    let world = [now(Some(&undone), &history)];
    let back = undo().decide("c2", &world, true).expect("it has the value that the change left");
    assert_eq!((back[0].from.as_deref(), back[0].to.as_deref()), (Some(undone.as_bytes()), Some(first.as_bytes())));
    assert!(matches!(undo().decide("c1", &world, true), Err(Stale::Changed { .. })), "not over what stands in between");
    // A digest that differs beyond what a float can hold is another value.
    let other = undone.replace("567890", "567891");
    let world = [now(Some(&other), &[revision("x", 4, Some(&third), Some(&other)), history[2].clone()])];
    assert!(matches!(undo().decide("c2", &world, true), Err(Stale::Changed { .. })));
}

#[test]
fn what_is_not_known_to_have_happened_is_looked_for_in_the_history() {
    let world = [now(Some("A"), &[revision("c1", 1, None, Some("A"))])];
    assert!(matches!(undo().decide("c9", &world, true), Err(Stale::Forgotten { .. })));
    assert!(matches!(undo().decide("c9", &world, false), Err(Stale::DidNotHappen(_))));
    // Of two flags, only one was reached.
    let other = FlagNow { flag: "other".into(), ..now(Some("X"), &[]) };
    let both = [world[0].clone(), other];
    let back = undo().decide("c1", &both, false).expect("one is there");
    assert_eq!(back.len(), 1);
}

#[test]
fn a_flag_goes_back_one_step_or_to_a_revision() {
    let history = [
        revision("c3", 3, Some("B"), Some("C")),
        revision("c2", 2, Some("A"), Some("B")),
        revision("c1", 1, None, Some("A")),
    ];
    let flag = now(Some("C"), &history);
    let to = |rev| flag.step_back(rev).map(|back| back.to);
    assert_eq!(to(None), Ok(Some(b"B".to_vec())));
    assert_eq!(to(Some(1)), Ok(Some(b"A".to_vec())));
    assert!(matches!(to(Some(9)), Err(Stale::NoRevision { known, .. }) if known == [3, 2, 1]));
    assert!(matches!(now(Some("x"), &[]).step_back(None), Err(Stale::NoHistory { .. })));
    assert!(matches!(now(Some("x"), &history).step_back(Some(1)), Err(Stale::Drifted { .. })));
}

#[test]
fn the_audit_log_reads_back_what_it_wrote() {
    let undo = crate::change::undo::Undo::from(undo());
    let json = serde_json::to_value(&undo).expect("serialises");
    assert_eq!(json, serde_json::json!({ "do": "restore_flags", "flags": ["beta"] }));
    assert_eq!(serde_json::from_value(json).ok(), Some(undo.clone()));
    assert_eq!(undo.by_hand(), "flag undo beta");
}
