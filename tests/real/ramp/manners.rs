//! What is refused, with what to type, and how programs and protected environments are spoken to.

use super::*;

#[test]
fn what_cannot_be_ramped_is_refused_with_what_to_type() {
    let world = World::new("file:flags.json", Seen::Good, "10");
    let env = &world.env;
    for (args, want, hint) in [
        (&["set", "off", "--pct", "0", "--disable"][..], "", ""),
        (&["set", "rules_only", "--rule", "region in eu"], "", ""),
        (&["ramp", "start", "new_matchmakin", "--steps", "5"], "there is no flag", "did you mean `new_matchmaking`?"),
        (
            &["ramp", "start", "brand_new_shop", "--steps", "5"],
            "there is no flag",
            "liveops flag set brand_new_shop --pct 0",
        ),
        (&["ramp", "start", "off", "--steps", "5"], "is off", "--pct 0 --enable"),
        (&["ramp", "start", "rules_only", "--steps", "5"], "defaultValue", "--default true"),
        (&["ramp", "start", FLAG, "--steps", "5,20,50"], "is at 10% already", "--steps 20,50"),
        (&["ramp", "start", FLAG, "--steps", "20,20"], "the steps must rise", "--steps 1,5,25,50,100"),
        (&["ramp", "start", FLAG, "--steps", "20,101"], "no whole percentage", ""),
        (&["ramp", "start", FLAG, "--steps", "20.5"], "no whole percentage", ""),
    ] {
        let guard = ["--guard", "error_rate < 1%"];
        let guard = if args[0] == "ramp" { &guard[..] } else { &[] };
        let all = ["flag"].iter().chain(args).chain(guard).chain(&["--yes"]);
        let run = env.run(all);
        assert_eq!(run.code, if want.is_empty() { 0 } else { 2 }, "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(want) && run.stderr.contains(hint), "{args:?}: {}", run.stderr);
    }
    let start = |more: &[&str]| {
        let usual = ["flag", "ramp", "start", FLAG, "--steps", "20,50"];
        env.run(usual.iter().chain(more).copied())
    };
    for (more, code, want) in [
        (&["--yes"][..], 2, "without a guard"),
        (&["--guard", "eror_rate < 1%", "--yes"], 2, "error_rate"),
        (&["--guard", "p99 < baseline * 1.2", "--yes"], 2, "cannot be used for this flag"),
        (&["--guard", "error_rate < 1%"], 4, "not confirmed"),
        (&["--policy", "standrd", "--yes"], 2, "did you mean `standard`?"),
    ] {
        let run = start(more).expect_code(code);
        assert!(run.stderr.contains(want), "{more:?}: {}", run.stderr);
    }
    let dry = start(&["--guard", "error_rate < baseline * 2", "--dry-run"]).expect_code(0);
    let shown = format!("{}{}", dry.stdout, dry.stderr);
    assert!(shown.contains("10%, then 20%, 50%"), "{shown}");
    assert_eq!(world.percentage(), 10);
}

#[test]
fn for_programs_it_is_an_object_a_line_and_a_protected_environment_wants_a_reason() {
    let world = World::new("file:flags.json", Seen::Good, "10");
    let text = world.env.read("liveops.yaml");
    let args = [
        "flag",
        "ramp",
        "start",
        FLAG,
        "--steps",
        "20",
        "--hold",
        "200ms",
        "--guard",
        "error_rate < 1%",
        "--yes",
        "-o",
        "json",
    ];
    let lines = world.env.run(args).expect_code(0).json_lines();
    assert!(lines.len() > 3, "{lines:?}");
    assert_eq!(lines[0]["schema"], "liveops.rollout.event/1");
    let last = lines.last().unwrap();
    assert_eq!(last["schema"], "liveops.flag.ramp.status/1");
    assert_eq!(last["data"]["ramps"][0]["percentage"], 20.0);
    let past = |more: &[&str]| {
        let args = ["flag", "ramp", "history", FLAG, "-o", "json"];
        world.env.run(args.iter().chain(more)).expect_code(0).json()
    };
    let first = past(&[]);
    assert_eq!(first["schema"], "liveops.flag.ramp.history/1");
    let change = first["data"]["ramps"][0]["change"].as_str().unwrap();
    // Another one takes its place, and leaves what is known of it.
    let next = args.map(|arg| if arg == "20" { "25" } else { arg });
    world.env.run(next).expect_code(0);
    let again = past(&[change]);
    assert_eq!(again["data"]["flag"], FLAG);
    assert_eq!(again["data"]["verdicts"], first["data"]["verdicts"]);
    assert_eq!(again["data"]["ramps"].as_array().unwrap().len(), 1);
    world.env.write("liveops.yaml", text.replace("  test:\n", "  test:\n    protected: true\n"));
    let args = ["flag", "ramp", "start", FLAG, "--steps", "30", "--guard", "error_rate < 1%", "--yes"];
    let refused = world.env.run(args).expect_code(2);
    assert!(refused.stderr.contains("--reason"), "{}", refused.stderr);
}
