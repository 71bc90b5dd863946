//! What people say to a rollout over regions without naming one: it is about the whole, or it is refused with the commands
//! of each region.

use super::regions::{NAMES, Regions};
use super::world::{LIMIT, RULES, Seen, end};
use crate::support::until;

fn long_window() -> String {
    RULES.replace("rollback_window: 100ms", "rollback_window: 60s")
}

#[test]
fn pause_resume_and_promote_reach_every_region_that_somebody_holds() {
    let world = Regions::new([Seen::Good, Seen::Nothing, Seen::Nothing], &long_window());
    let child = world.spawn(&Regions::args(&[]));
    for region in ["us", "asia"] {
        world.until_phase(region, "observe");
    }
    world.until_phase("eu", "window");
    // To promote means one thing where there is a window, and another where there is none.
    let unclear = world
        .env
        .run(["rollout", "promote", "--yes"])
        .expect_code(2);
    for want in [
        "promoted already in eu, and not yet in us, asia",
        "`liveops rollout promote game --region us`, `liveops rollout promote game --region asia`",
        "`liveops rollout promote game --region eu`",
    ] {
        assert!(unclear.stderr.contains(want), "{want}: {}", unclear.stderr);
    }
    let args = ["rollout", "pause", "--reason", "tournament", "--yes"];
    let paused = world.env.run(args).expect_code(0);
    assert!(
        paused.stdout.contains("eu at 100%, us at 20%, asia at 20%"),
        "{}",
        paused.stdout
    );
    for region in NAMES {
        until(format!("{region} held"), LIMIT, || {
            (world.row(region)["held"]["why"] == "paused").then_some(())
        });
    }
    let resumed = world.env.run(["rollout", "resume", "--yes"]).expect_code(0);
    assert!(
        resumed.stdout.contains("whoever holds the regions"),
        "{}",
        resumed.stdout
    );
    for region in NAMES {
        until(format!("{region} goes on"), LIMIT, || {
            (world.row(region)["held"]["why"] != "paused").then_some(())
        });
    }
    for region in ["us", "asia"] {
        let args = ["rollout", "promote", "--region", region, "--yes"];
        world.env.run(args).expect_code(0);
        until("all of the traffic", LIMIT, || {
            (world.weight(region) == 100.0).then_some(())
        });
        // What everybody gets is looked at like any step.
        world.set(region, Seen::Good);
        world.until_phase(region, "window");
    }
    // Now it means the end of all windows.
    let ended = world
        .env
        .run(["rollout", "promote", "--yes"])
        .expect_code(0);
    assert!(
        ended
            .stdout
            .contains("end the window of game:2 of game in eu, us, asia"),
        "{}",
        ended.stdout
    );
    assert_eq!(end(child).0, Some(0));
    assert!(world.phases().values().all(|phase| phase == "succeeded"));
    let late = world.env.run(["rollout", "pause", "--yes"]).expect_code(4);
    assert!(
        late.stderr
            .contains("eu succeeded, us succeeded, asia succeeded"),
        "{}",
        late.stderr
    );
}

#[test]
fn one_approval_is_for_the_step_of_every_region_that_waits() {
    let rules = format!("{RULES}    approval: {{ before: [50%], by: 1 }}\n");
    let world = Regions::new([Seen::Good; 3], &rules);
    let none = world
        .env
        .run(["rollout", "approve", "--yes"])
        .expect_code(4);
    assert!(none.stderr.contains("was ever begun"), "{}", none.stderr);
    let child = world.spawn(&[
        "rollout",
        "canary",
        "--image",
        "game:2",
        "--regions",
        "eu,us,asia",
        "--wave",
        "3",
        "--yes",
    ]);
    for region in NAMES {
        world.until_phase(region, "gate");
    }
    let said = world
        .env
        .run(["rollout", "approve", "--yes"])
        .expect_code(0);
    let want = "step 2 (60%) in eu, step 2 (60%) in us, step 2 (60%) in asia";
    assert!(said.stdout.contains(want), "{}", said.stdout);
    assert_eq!(end(child).0, Some(0));
    assert!(world.phases().values().all(|phase| phase == "succeeded"));
}

#[test]
fn what_nobody_holds_is_promoted_by_the_one_who_says_so_and_the_rest_on_its_evidence() {
    let world = Regions::killed(RULES);
    let child = world.spawn(&["rollout", "promote", "--yes"]);
    until("all of the traffic", LIMIT, || {
        (world.weight("us") == 100.0).then_some(())
    });
    assert!(!world.begun("asia"));
    world.set("us", Seen::Good);
    let (code, said) = end(child);
    assert_eq!(code, Some(0), "{said}");
    for region in NAMES {
        assert_eq!(world.stable(region), "game:2", "{region}");
    }
    assert_eq!(world.weights("us"), [0.0, 20.0, 20.0, 100.0, 100.0, 0.0]);
    assert_eq!(
        world.weights("asia"),
        [0.0, 20.0, 60.0, 100.0, 100.0, 0.0],
        "not asked for, so on its own evidence"
    );
}
