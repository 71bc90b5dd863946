//! Rollouts as people meet them: the switch of blue/green with its window, the live screen of a terminal, its questions.

use std::process::Stdio;

use super::world::{LIMIT, Seen, World, lock};
use crate::support::until;

#[test]
fn blue_green_switches_at_once_and_back_by_undo() {
    let world = World::new(Seen::Good, "");
    let args = ["rollout", "bluegreen", "--image", "game:2"];
    let refused = world.env.run(args.iter().chain(&["--steps", "5,50", "--yes"])).expect_code(2);
    assert!(refused.stderr.contains("a switch has no `--steps`"), "{}", refused.stderr);
    let dry = world.env.run(args.iter().chain(&["--dry-run"])).expect_code(0);
    let shown = format!("{}{}", dry.stdout, dry.stderr);
    assert!(shown.contains("switch game to game:2"), "{shown}");
    assert_eq!(world.weights(), Vec::<f64>::new());
    world.env.run(args.iter().chain(&["--yes"])).expect_code(0);
    let weights = world.weights();
    let between = weights.iter().any(|weight| *weight > 0.0 && *weight < 100.0);
    assert!(weights.contains(&100.0) && !between, "{weights:?}");
    assert_eq!(lock(&world.state).stable, "game:2");
    world.env.run(["undo", "--yes"]).expect_code(0);
    assert_eq!(lock(&world.state).stable, "game:1");
    // A gate that refuses leaves everything as it is.
    lock(&world.state).weight = 30.0;
    let refused = world.env.run(args.iter().chain(&["--yes"])).expect_code(1);
    assert!(refused.stdout.contains("rollback_plan"), "{}", refused.stdout);
}

#[test]
fn what_goes_bad_within_the_window_is_switched_back() {
    let world = World::new(Seen::Good, "");
    let text = world.env.read("liveops.yaml");
    let long = text.replace("rollback_window: 100ms", "rollback_window: 60s");
    assert_ne!(long, text);
    world.env.write("liveops.yaml", long);
    let mut command = world.env.bare(["rollout", "bluegreen", "--image", "game:2", "--yes"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the window", LIMIT, || (world.status()["phase"] == "window").then_some(()));
    assert_eq!(world.weight(), 100.0);
    world.set(Seen::Bad);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(world.weight(), 0.0);
    assert_eq!(lock(&world.state).stable, "game:1");
    assert_eq!(world.status()["phase"], "rolled_back");
}

#[test]
fn on_a_terminal_it_is_a_screen_and_ctrl_c_asks() {
    let world = World::new(Seen::Nothing, "");
    let mut terminal = world.env.pty(["rollout", "canary", "--image", "game:2", "--yes"]);
    terminal.expect("[20]").expect("want errors < 1%").expect("back if errors > 5%").expect("Ctrl-C asks");
    terminal.interrupt();
    terminal.expect("hold here").send_line("h");
    let (code, transcript) = terminal.wait();
    assert_eq!(code, 5, "{transcript}");
    let plain = transcript.split("\x1b[?1049l").nth(1).expect("the screen was given back");
    let (above, _) = plain.split_once("hold here").expect("the question");
    assert!(above.contains("want errors < 1%"), "what one decides about stands above the question: {above}");
    assert_eq!(world.weight(), 20.0, "held where it was");
    assert_eq!(world.status()["held"]["why"], "paused");
    // Whoever has nothing else to say gets the old version back.
    let mut terminal = world.env.pty(["rollout", "resume", "--yes"]);
    terminal.expect("Ctrl-C asks");
    terminal.interrupt();
    terminal.expect("roll back").send_line("");
    assert_eq!(terminal.wait().0, 1);
    assert_eq!(world.weight(), 0.0);
    // Whoever presses it again leaves at once, and what is said then has a row of its own.
    let mut terminal = world.env.pty(["rollout", "canary", "--image", "game:3", "--yes"]);
    terminal.expect("Ctrl-C asks").interrupt();
    terminal.expect("hold here").interrupt();
    let (code, transcript) = terminal.wait();
    assert_eq!(code, 130, "{transcript}");
    let plain = console::strip_ansi_codes(&transcript).into_owned();
    assert!(plain.contains("\nthe rollout is where it was"), "{plain}");
}

#[test]
fn a_terminal_asks_for_the_image_and_a_small_one_shows_what_counts() {
    let world = World::new(Seen::Good, "");
    let mut terminal = world.env.pty(["rollout", "canary"]);
    terminal.expect("which image is the new version?").send_line("game:2").expect("go on in `test`?").send_line("y");
    let (code, transcript) = terminal.wait();
    assert_eq!(code, 0, "{transcript}");
    let mut watch = world.env.pty(["rollout", "status", "--watch"]);
    watch.resize(60, 10);
    watch.expect("succeeded").expect("more lines");
    watch.interrupt();
    assert_eq!(watch.wait().0, 130);
    let plain = world.env.command(["rollout", "status", "--color", "never"]).env("LANG", "C").run().expect_code(0);
    assert!(plain.stdout.is_ascii(), "{}", plain.stdout);
    assert!(plain.stdout.contains("20+ 60+ 100+"), "{}", plain.stdout);
}
