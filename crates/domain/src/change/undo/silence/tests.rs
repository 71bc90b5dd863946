//! What each undo comes to in a world that has moved on, or has not.

use crate::change::undo::Undo;
use crate::change::undo::silence::*;

fn at(hour: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + hour * 3600, 0).expect("in range")
}

fn draft(ends: i64) -> Draft {
    Draft {
        matchers: vec![Matcher::parse("Down").expect("valid")],
        starts_at: at(0),
        ends_at: at(ends),
        created_by: "ada".into(),
        comment: "it's known".into(),
        other: serde_json::Map::new(),
    }
}

fn silence(id: &str, state: SilenceState, ends: i64) -> Silence {
    Silence { id: id.into(), state, draft: draft(ends) }
}

#[test]
fn an_added_silence_is_expired_unless_somebody_touched_it() {
    use SilenceState::{Active, Expired};
    let undo = SilenceUndo::ExpireSilence { id: "a".into(), expected: at(2) };
    let decide = |world: &[Silence]| undo.decide(world, at(1), true);
    assert!(matches!(decide(&[silence("a", Active, 2)]), Ok(Reverse::Expire { .. })));
    assert!(matches!(decide(&[silence("a", Active, 3)]), Err(Stale::Changed { .. })));
    assert!(matches!(decide(&[silence("a", Expired, 1)]), Err(Stale::Expired { .. })));
    assert!(matches!(decide(&[silence("b", Active, 2)]), Err(Stale::Gone { .. })));
    assert!(undo.is_safe_side());
}

#[test]
fn what_is_not_known_to_have_happened_is_looked_for() {
    use SilenceState::{Active, Expired};
    let like = SilenceUndo::ExpireSilenceLike { silence: draft(2) };
    assert!(matches!(
        like.decide(&[silence("x", Active, 2)], at(1), false),
        Ok(Reverse::Expire { silence }) if silence.id == "x"
    ));
    assert!(matches!(like.decide(&[silence("x", Active, 3)], at(1), false), Err(Stale::DidNotHappen(_))));
    let end = SilenceUndo::SetSilenceEnd { id: "a".into(), ends_at: at(2), expected: at(3) };
    let world = [silence("a", Active, 2)];
    assert!(matches!(end.decide(&world, at(1), false), Err(Stale::DidNotHappen(_))));
    assert!(matches!(end.decide(&world, at(1), true), Err(Stale::Changed { .. })));
    let add = SilenceUndo::AddSilence { id: "a".into(), silence: draft(2) };
    assert!(matches!(add.decide(&world, at(1), false), Err(Stale::DidNotHappen(_))));
    assert!(matches!(add.decide(&[silence("a", Expired, 1)], at(1), false), Ok(Reverse::Add { .. })));
}

#[test]
fn an_end_is_set_back_or_the_silence_expired_when_that_is_past() {
    let undo = SilenceUndo::SetSilenceEnd { id: "a".into(), ends_at: at(2), expected: at(5) };
    let world = [silence("a", SilenceState::Active, 5)];
    assert!(matches!(
        undo.decide(&world, at(1), true),
        Ok(Reverse::SetEnd { ends_at, .. }) if ends_at == at(2)
    ));
    assert!(matches!(undo.decide(&world, at(3), true), Ok(Reverse::Expire { .. })));
}

#[test]
fn an_expired_silence_comes_back_only_once_and_in_time() {
    use SilenceState::{Active, Expired};
    let undo = SilenceUndo::AddSilence { id: "a".into(), silence: draft(2) };
    let expired = silence("a", Expired, 1);
    let decide = |world: &[Silence], now| undo.decide(world, now, true);
    assert!(matches!(decide(std::slice::from_ref(&expired), at(3)), Err(Stale::Over { .. })));
    assert!(matches!(
        decide(&[expired, silence("b", Active, 9)], at(1)),
        Err(Stale::Exists { id, .. }) if id == "b"
    ));
    assert_eq!(undo.by_hand(), "silence add 'alertname=\"Down\"' --for 1h --reason 'it'\\''s known'");
}

#[test]
fn the_audit_log_reads_back_what_it_wrote() {
    let undo = SilenceUndo::AddSilence { id: "a".into(), silence: draft(2) };
    let json = serde_json::to_value(&undo).expect("serialises");
    assert_eq!(json["do"], "add_silence");
    assert_eq!(serde_json::from_value::<Undo>(json).ok(), Some(undo.into()));
}
