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
    let unclear = world.env.run(["rollout", "promote", "--yes"]).expect_code(2);
    for want in [
        "promoted already in eu, and not yet in us, asia",
        "`liveops rollout promote game --region us`, `liveops rollout promote game --region asia`",
        "`liveops rollout promote game --region eu`",
    ] {
        assert!(unclear.stderr.contains(want), "{want}: {}", unclear.stderr);
    }
    let args = ["rollout", "pause", "--reason", "tournament", "--yes"];
    let paused = world.env.run(args).expect_code(0);
    assert!(paused.stdout.contains("eu at 100%, us at 20%, asia at 20%"), "{}", paused.stdout);
    for region in NAMES {
        until(format!("{region} held"), LIMIT, || (world.row(region)["held"]["why"] == "paused").then_some(()));
    }
    let resumed = world.env.run(["rollout", "resume", "--yes"]).expect_code(0);
    assert!(resumed.stdout.contains("whoever holds the regions"), "{}", resumed.stdout);
    for region in NAMES {
        until(format!("{region} goes on"), LIMIT, || (world.row(region)["held"]["why"] != "paused").then_some(()));
    }
    for region in ["us", "asia"] {
        let args = ["rollout", "promote", "--region", region, "--yes"];
        world.env.run(args).expect_code(0);
        until("all of the traffic", LIMIT, || (world.weight(region) == 100.0).then_some(()));
        // What everybody gets is looked at like any step.
        world.set(region, Seen::Good);
        world.until_phase(region, "window");
    }
    // Now it means the end of all windows.
    let ended = world.env.run(["rollout", "promote", "--yes"]).expect_code(0);
    assert!(ended.stdout.contains("end the window of game:2 of game in eu, us, asia"), "{}", ended.stdout);
    assert_eq!(end(child).0, Some(0));
    assert!(world.phases().values().all(|phase| phase == "succeeded"));
    let late = world.env.run(["rollout", "pause", "--yes"]).expect_code(4);
    assert!(late.stderr.contains("eu succeeded, us succeeded, asia succeeded"), "{}", late.stderr);
}

#[test]
fn one_approval_is_for_the_step_of_every_region_that_waits() {
    let rules = format!("{RULES}    approval: {{ before: [50%], by: 1 }}\n");
    let world = Regions::new([Seen::Good; 3], &rules);
    let none = world.env.run(["rollout", "approve", "--yes"]).expect_code(4);
    assert!(none.stderr.contains("was ever begun"), "{}", none.stderr);
    let child =
        world.spawn(&["rollout", "canary", "--image", "game:2", "--regions", "eu,us,asia", "--wave", "3", "--yes"]);
    for region in NAMES {
        world.until_phase(region, "gate");
    }
    let said = world.env.run(["rollout", "approve", "--yes"]).expect_code(0);
    let want = "step 2 (60%) in eu, step 2 (60%) in us, step 2 (60%) in asia";
    assert!(said.stdout.contains(want), "{}", said.stdout);
    assert_eq!(end(child).0, Some(0));
    assert!(world.phases().values().all(|phase| phase == "succeeded"));
}

#[test]
fn what_nobody_holds_is_promoted_by_the_one_who_says_so_and_the_rest_on_its_evidence() {
    let world = Regions::killed(RULES);
    let child = world.spawn(&["rollout", "promote", "--yes"]);
    until("all of the traffic", LIMIT, || (world.weight("us") == 100.0).then_some(()));
    assert!(!world.begun("asia"));
    world.set("us", Seen::Good);
    let (code, said) = end(child);
    assert_eq!(code, Some(0), "{said}");
    for region in NAMES {
        assert_eq!(world.stable(region), "game:2", "{region}");
    }
    assert_eq!(world.weights("us"), [0.0, 20.0, 20.0, 100.0, 100.0, 0.0]);
    assert_eq!(world.weights("asia"), [0.0, 20.0, 60.0, 100.0, 100.0, 0.0], "not asked for, so on its own evidence");
}

#[test]
fn on_a_terminal_it_is_a_row_a_region_and_ctrl_c_is_for_all() {
    let world = Regions::new([Seen::Good, Seen::Nothing, Seen::Nothing], &long_window());
    let mut terminal = world.env.pty(Regions::args(&[]));
    terminal.expect("game in 3 regions").expect("WAVE").expect("not begun").expect("Ctrl-C asks");
    for (region, phase) in [("us", "observe"), ("asia", "observe"), ("eu", "window")] {
        until(format!("{region} {phase}"), LIMIT, || {
            // Somebody reads what is drawn.
            let _ = terminal.transcript();
            (world.row(region)["phase"] == phase).then_some(())
        });
    }
    // Drawn again without a look, and as it stands now.
    terminal
        .expect("WAVE")
        .expect("eu")
        .expect("promoted")
        .expect("us")
        .expect("observing")
        .expect("20%")
        .expect("no series")
        .expect("asia")
        .expect("observing");
    terminal.interrupt();
    terminal.expect("hold here").send_line("h");
    let (code, transcript) = terminal.wait();
    assert_eq!(code, 5, "{transcript}");
    for region in ["us", "asia"] {
        assert_eq!(world.weight(region), 20.0, "{region}");
        assert_eq!(world.row(region)["held"]["why"], "paused", "{region}");
    }
    on_the_one_screen(&world);
}

/// `liveops status` of it: each region, the worst first; one that cannot be seen is unknown.
fn on_the_one_screen(world: &Regions) {
    let run = world.env.run(["status"]);
    let at = |text: &str| {
        let found = run.stdout.find(text);
        found.unwrap_or_else(|| panic!("{text}: {}", run.stdout))
    };
    assert!(at("game  game:2  in 3 regions") < at("us ORPHANED while observing 20%"));
    assert!(at("game  game:2") < at("eu ORPHANED while promoted 100%"));
    assert!(run.stdout.contains("held: paused by"), "{}", run.stdout);
    assert!(run.stdout.contains("rollout of game waits for somebody in eu, us, asia"), "{}", run.stdout);
    let json = world.env.run(["status", "-o", "json"]).json();
    let rows = json["data"]["rollouts"].as_array().unwrap();
    let of = |region: &str| rows.iter().find(|row| row["region"] == region).unwrap();
    assert_eq!(of("us")["weight"], 20.0);
    assert_eq!(of("us")["phase"], "observe");
    assert_eq!(of("eu")["phase"], "window");
    assert_eq!(of("eu")["waves"], serde_json::json!([["eu"], ["us", "asia"]]));
    // A folder a project.
    let mut projects = std::fs::read_dir(world.env.state().join("rollouts")).unwrap();
    let folder = projects.next().unwrap().unwrap().path().join("test@us/game");
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("state-") {
            std::fs::write(entry.path(), "lost").unwrap();
        }
    }
    let json = world.env.run(["status", "-o", "json"]).json();
    assert_eq!(json["data"]["rollouts_unknown"][0]["region"], "us");
    assert_eq!(json["data"]["rollouts"].as_array().unwrap().len(), 2);
    let screen = world.env.run(["status"]).expect_code(3);
    assert!(screen.stdout.contains("1 rollout unknown"), "{}", screen.stdout);
    let at = |text: &str| screen.stdout.find(text);
    let (us, eu) = (at("us unknown  "), at("eu ORPHANED"));
    assert!(us.is_some() && us < eu, "{}", screen.stdout);
    let status = world.env.run(["rollout", "status"]).expect_code(3);
    assert!(status.stdout.contains("unknown"), "{}", status.stdout);
    // Nothing goes on beside what nobody knows; but back it goes, everywhere.
    let refused = world.env.run(["rollout", "resume", "--yes"]).expect_code(4);
    assert!(refused.stderr.contains("where region us stands"), "{}", refused.stderr);
    world.env.run(["rollout", "abort", "--yes"]).expect_code(0);
    for region in NAMES {
        assert_eq!(world.weight(region), 0.0, "{region}");
    }
}
