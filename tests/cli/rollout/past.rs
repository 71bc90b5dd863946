//! `rollout history`: what an earlier rollout went through can be shown for as long as anybody wants to know.

use serde_json::Value;

use super::world::{Seen, World};
use crate::support::TestEnv;

fn history(env: &TestEnv, more: &[&str]) -> Value {
    let args = ["rollout", "history", "game"];
    let run = env.run(args.iter().chain(more).chain(&["-o", "json"]));
    run.expect_code(0).json()["data"].clone()
}

fn is_bad(verdict: &Value) -> bool {
    verdict["condition"] == "errors > 5%" && verdict["outcome"] == "fail"
}

/// A bad build that went back, and a good one after it.
fn bad_then_good() -> (World, Value) {
    let world = World::new(Seen::Bad, "");
    world.start(&[]).expect_code(1);
    let bad = history(&world.env, &[])["rollouts"][0].clone();
    world.set(Seen::Good);
    world.start(&[]).expect_code(0);
    (world, bad)
}

#[test]
fn an_earlier_rollout_is_shown_by_its_change_or_its_own_id() {
    let (world, bad) = bad_then_good();
    let (change, id) = (bad["change"].as_str().unwrap(), bad["rollout"].as_str().unwrap());
    let all = history(&world.env, &[]);
    assert_eq!(all["rollouts"].as_array().unwrap().len(), 2);
    assert!(!all["verdicts"].as_array().unwrap().iter().any(is_bad));

    for name in [change, id, &change[..5]] {
        let one = history(&world.env, &[name]);
        let rows = one["rollouts"].as_array().unwrap();
        assert_eq!(rows.len(), 1, "{name}: {one}");
        assert_eq!(rows[0]["phase"], "rolled_back");
        let verdicts = one["verdicts"].as_array().unwrap();
        let bad = verdicts.iter().find(|verdict| is_bad(verdict)).unwrap();
        assert_eq!((&bad["n"], &bad["value"]), (&1000.0.into(), &0.12.into()));
        let query = bad["queries"][0].as_str().unwrap();
        assert!(query.contains("track=\"canary\""), "{query}");
        let texts = one["transitions"].as_array().unwrap();
        assert_eq!(texts.last().unwrap()["phase"], "rolled_back");
        assert!(texts[0]["text"].as_str().unwrap().starts_with("begun by"));
    }

    let table = world.env.run(["rollout", "history"]).expect_code(0);
    let command = format!("liveops rollout history game {change}");
    assert!(table.stdout.contains(&command), "{}", table.stdout);
    // Where there is one service, the id is enough.
    let one = world.env.run(["rollout", "history", change]).expect_code(0);
    for want in ["what happened", "begun by", "back if errors > 5%  BREACHED", "rolled back"] {
        assert!(one.stdout.contains(want), "{want}: {}", one.stdout);
    }
}

#[test]
fn an_id_that_means_none_is_refused_with_the_nearest() {
    let (world, bad) = bad_then_good();
    let change = bad["change"].as_str().unwrap();
    let mut near = change.to_owned();
    let last = if near.pop() == Some('0') { '1' } else { '0' };
    near.push(last);
    let run = world.env.run(["rollout", "history", "game", &near]).expect_code(2);
    assert!(run.stderr.contains(change), "{}", run.stderr);
    // One letter could be anything.
    world.env.run(["rollout", "history", "game", "c"]).expect_code(2);
}

#[test]
fn what_was_undone_after_its_end_is_kept_as_it_ended() {
    let world = World::new(Seen::Good, "");
    world.start(&[]).expect_code(0);
    let change = history(&world.env, &[])["rollouts"][0]["change"].clone();
    world.env.run(["rollout", "undo", "--yes"]).expect_code(0);
    world.start(&[]).expect_code(0);
    let one = history(&world.env, &[change.as_str().unwrap()]);
    let texts = one["transitions"].as_array().unwrap();
    assert_eq!(texts.last().unwrap()["phase"], "rolled_back", "{one}");
    // What people said to it belongs to it.
    assert_eq!(one["rollouts"].as_array().unwrap().len(), 2, "{one}");
}

#[test]
fn without_its_verdicts_the_audit_log_still_tells_what_happened() {
    let (world, bad) = bad_then_good();
    let id = bad["rollout"].as_str().unwrap();
    // A folder a project.
    let mut projects = std::fs::read_dir(world.env.state().join("past-rollouts")).unwrap();
    let kept = projects.next().unwrap().unwrap().path().join("test/game");
    std::fs::remove_file(kept.join(format!("{id}.json"))).unwrap();
    let run = world.env.run(["rollout", "history", "game", id]).expect_code(0);
    assert!(run.stdout.contains("starting canary"), "{}", run.stdout);
    let said = format!("the verdicts of {id} are not kept here");
    assert!(run.stderr.contains(&said) || run.stdout.contains(&said), "{}{}", run.stdout, run.stderr);
}

#[test]
fn on_a_narrow_screen_no_word_of_the_history_breaks() {
    let (world, bad) = bad_then_good();
    let (_, transcript) = world.env.pty(["rollout", "history", "game"]).wait();
    let text = console::strip_ansi_codes(&transcript).into_owned();
    let summary = bad["summary"].as_str().unwrap();
    assert!(text.lines().any(|line| line.contains(summary)), "{summary} stands whole\n{text}");
    assert!(text.lines().all(|line| console::measure_text_width(line.trim_end()) <= 80), "{text}");
    let log = world.env.run(["audit", "list"]).expect_code(0);
    assert!(log.stdout.contains("rolled back"), "it is not done: {}", log.stdout);
}
