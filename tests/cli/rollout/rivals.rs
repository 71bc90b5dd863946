//! A balancer that several machines know, where no cluster holds a lock: whoever comes second touches nothing, anybody
//! can take the canary out, and what somebody else releases meanwhile is neither promoted nor taken back.

use std::process::Stdio;

use super::world::{LIMIT, RULES, Seen, World, end, lock};
use crate::support::killer::kill_everywhere;
use crate::support::until;

/// The same command line on another machine: its own home, and with it no state of the rollout.
fn elsewhere(world: &World, args: &[&str]) -> std::process::Command {
    let home = world.env.root().join("elsewhere");
    std::fs::create_dir_all(&home).unwrap();
    let mut command = world.env.bare(args);
    for name in ["HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
        command.env(name, &home);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn anybody_takes_the_canary_out_from_any_machine() {
    let world = World::new(Seen::Nothing, "");
    let mut holder = world.spawn_to_first_step();
    let abort = elsewhere(&world, &["rollout", "abort", "--yes"]).output().unwrap();
    assert_eq!(abort.status.code(), Some(0), "{}", String::from_utf8_lossy(&abort.stderr));
    assert_eq!(world.weight(), 0.0);
    holder.kill().unwrap();
    holder.wait().unwrap();
    // Where there is none, there is nothing to do.
    let again = elsewhere(&world, &["rollout", "abort", "--yes"]).output().unwrap();
    assert_eq!(again.status.code(), Some(0));
    let said = String::from_utf8_lossy(&again.stdout).into_owned() + &String::from_utf8_lossy(&again.stderr);
    assert!(said.contains("no rollout of game was ever begun"), "{said}");
}

#[test]
fn the_way_out_that_is_refused_is_said_with_the_line_that_does_it_by_hand() {
    let world = World::new(Seen::Nothing, "");
    let mut holder = world.spawn_to_first_step();
    holder.kill().unwrap();
    holder.wait().unwrap();
    lock(&world.state).refuse = u32::MAX;
    let abort = elsewhere(&world, &["rollout", "abort", "--yes"]).output().unwrap();
    assert_eq!(abort.status.code(), Some(5));
    let said = String::from_utf8_lossy(&abort.stderr);
    assert!(said.contains("curl -X PUT") && said.contains(r#"{"weight":0}"#), "{said}");
}

#[test]
fn of_two_that_begin_at_once_the_loser_touches_nothing() {
    let world = World::new(Seen::Good, "");
    let first = world.spawn(&[]);
    let args = ["rollout", "canary", "--image", "game:3", "--yes"];
    let second = elsewhere(&world, &args).spawn().unwrap();
    let ends = [end(first), end(second)];
    // A winner goes its way: no traffic, its steps, everything, and the roles swapped. Nobody else gives or takes any.
    let won = ends.iter().filter(|(code, _)| *code == Some(0)).count();
    assert!(won > 0, "{ends:?}");
    let zeros = world.weights().iter().filter(|weight| **weight == 0.0).count();
    assert_eq!(zeros, 2 * won, "{:?} {ends:?}", world.weights());
}

#[test]
fn whoever_is_overtaken_before_its_first_share_takes_nothing_back() {
    let world = World::new(Seen::Good, "");
    lock(&world.state).keep = Some(20.0);
    let first = world.spawn(&[]);
    until("the first share on its way", LIMIT, || (lock(&world.state).kept > 0).then_some(()));
    let args = ["rollout", "canary", "--image", "game:3", "--steps", "60,100", "--yes"];
    let (code, said) = end(elsewhere(&world, &args).spawn().unwrap());
    assert_eq!(code, Some(0), "{said}");
    lock(&world.state).keep = None;
    let (code, said) = end(first);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(world.weights(), [0.0, 0.0, 60.0, 100.0, 100.0, 0.0]);
    assert_eq!(lock(&world.state).stable, "game:3");
}

#[test]
fn what_somebody_else_puts_there_is_not_promoted_and_not_taken_back() {
    for (canary, stable, text) in [
        (Some("game:evil"), "game:1", "the canary is game:evil, and game:2 is what is rolled out"),
        (Some("game:2"), "game:1.1", "stable is game:1.1, and was game:1 at the start"),
    ] {
        let rules = format!("{RULES}    hold_timeout: 1s\n");
        let world = World::ruled(Seen::Nothing, &rules);
        let holder = world.spawn_to_first_step();
        {
            let mut state = lock(&world.state);
            state.canary = canary.map(ToOwned::to_owned);
            state.stable = stable.to_owned();
            state.revision += 1;
            state.seen = Seen::Good;
        }
        until("the hold", LIMIT, || (world.status()["held"]["why"] == "foreign").then_some(()));
        let (code, _) = end(holder);
        assert_eq!(code, Some(1), "back, since nobody came");
        assert_eq!((world.weight(), lock(&world.state).stable.clone()), (0.0, stable.to_owned()));
        let reason = world.status()["reason"].as_str().unwrap_or_default().to_owned();
        assert!(reason.contains(text), "{reason}");
    }
}

#[test]
fn an_older_release_is_not_put_over_a_later_one() {
    let world = World::new(Seen::Good, "");
    world.start(&[]).expect_code(0);
    {
        let mut state = lock(&world.state);
        state.stable = "game:2.1".into();
        state.revision += 1;
    }
    for args in [&["rollout", "undo", "--yes"][..], &["rollout", "undo", "--dry-run"], &["undo", "--yes"]] {
        let run = world.env.run(args).expect_code(4);
        assert!(run.stderr.contains("game is game:2.1 now: another release came after game:2"), "{}", run.stderr);
    }
    assert_eq!(lock(&world.state).stable, "game:2.1");
}

/// Between any two writes to the balancer lie several of the state's: killed at some changes of its files in each.
#[test]
fn after_a_kill_anywhere_an_abort_takes_the_canary_out() {
    let rules = RULES.replace("steps: [20, 60, 100], interval: 300ms", "steps: [50, 100], interval: 60ms");
    let world = World::ruled(Seen::Good, &rules);
    let mut images = 2..;
    kill_everywhere(|vars| {
        let at: u32 = vars.iter().find(|(name, _)| *name == "KILL_AT").unwrap().1.parse().unwrap();
        if at % 7 != 1 {
            return false;
        }
        let before = lock(&world.state).stable.clone();
        let image = format!("game:{}", images.next().unwrap_or_default());
        let mut command = world.env.bare(["rollout", "canary", "--image", &image, "--yes"]);
        command.envs(vars.iter().map(|(name, value)| (*name, value))).stdout(Stdio::null()).stderr(Stdio::null());
        let lives = command.status().unwrap().code().is_some();
        if lock(&world.state).stable != image {
            world.env.run(["rollout", "abort", "--yes"]).expect_code(0);
            assert_eq!((world.weight(), lock(&world.state).stable.clone()), (0.0, before), "{vars:?}");
        } else if !lives {
            // Its end is not stored: whoever goes on comes to the same end.
            world.env.run(["rollout", "resume", "--yes"]);
            assert_eq!((world.weight(), lock(&world.state).stable.clone()), (0.0, image), "{vars:?}");
        }
        lives
    });
}
