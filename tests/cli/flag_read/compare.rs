//! `flag preview`, `overlap`, `lint`, `stale`, `diff`: what would change, what is alike, and what is wrong.

use super::*;

#[test]
fn preview_counts_who_flips() {
    let env = world();
    // Buckets 22, 75, 43, 27.
    env.write("users.txt", "user_123\nuser_1\nadmin_user_1\n🚀\n");
    let preview = ["flag", "preview", "new_matchmaking", "--pct", "30", "--users", "users.txt"];
    insta::assert_snapshot!(env.run(preview).snapshot(), @r#"
    code: 0
    --- stdout
    new_matchmaking in staging at 30 %, not done yet
      now   10 %, about 1 in 10
      then  30 %

      0 of 4 users are on now, 2 then
      ● 2 switched on: user_123, 🚀

    next: liveops flag set new_matchmaking --pct 30
    --- stderr
    "#);
    let run = env.run(preview.into_iter().chain(["-o", "name"])).expect_code(0);
    assert_eq!(run.stdout, "user_123\n🚀\n");
    env.write("users.csv", "region,id\neu,user_1\nus,u2\n");
    let csv = ["flag", "preview", "winter_event", "--pct", "50", "--users", "users.csv"];
    let run = env.run(csv).expect_code(2);
    assert!(
        run.stderr.contains("would be on for nobody") && run.stderr.contains("--default true --dry-run"),
        "{}",
        run.stderr
    );
    let stdin = env.command(["flag", "preview", "double_xp", "--pct", "50", "--users", "-", "-o", "json"]);
    let down = stdin.stdin("{\"id\":\"user_1\"}\n\"user_123\"\n").run().expect_code(0).json();
    assert_eq!(down["data"]["users"]["turns_off"], json!({"count": 1, "ids": ["user_1"]}));
    let run = env.run(["flag", "preview", "double_xp", "--pct", "101"]).expect_code(2);
    assert!(run.stderr.contains("0 to 100"), "{}", run.stderr);
    let run = env.run(["flag", "preview", "double_xp", "--pct", "5", "--users", "none.txt"]).expect_code(2);
    assert!(run.stderr.contains("cannot open"), "{}", run.stderr);
    let run = env.run(["flag", "preview", "double_xp", "--pct", "5", "-o", "csv"]).expect_code(2);
    assert!(run.stderr.contains("no rows"), "{}", run.stderr);
    assert_eq!(env.read("flags.json"), FLAGS, "nothing is changed");
}

#[test]
fn overlap_says_that_the_same_users_are_hit() {
    let env = world();
    env.write("users.txt", "user_123\nuser_1\nplayer-7\n");
    let overlap = ["flag", "overlap", "new_matchmaking", "double_xp", "--users", "users.txt"];
    let run = env.run(overlap).expect_code(0);
    assert!(
        run.stdout.contains("everybody who has new_matchmaking has double_xp too")
            && run.stdout.contains("of 3 users: 0 both, 0 only new_matchmaking, 3 only double_xp, 0 neither"),
        "{}",
        run.stdout
    );
    let run = env.run(["flag", "overlap", "double_xp", "double_xp"]).expect_code(2);
    assert!(run.stderr.contains("overlaps with itself"), "{}", run.stderr);
}

#[test]
fn lint_fails_on_errors_and_where_asked_for_on_warnings() {
    let env = world();
    let run = env.run(["flag", "lint"]).expect_code(1);
    for part in [
        "FAIL  6 flags: 2 HIGH, 3 MEDIUM",
        "HIGH    E01 odd\n    readers cannot take it: it is an array, where an object `{…}` is meant",
        "HIGH    E06 battle_pass\n    it is enabled, and on for nobody",
        "MEDIUM  W10 new_matchmaking\n    on the allowlist and still off, since the percentage 10 comes first: admin_user_1",
        "MEDIUM  W16 double_xp\n    it is on for everybody, unchanged for 96 days",
        "MEDIUM  W19 battle_pass\n    it was changed outside liveops after revision 1 (2026-01-06T10:30:00Z)",
        "next: liveops flag get odd",
    ] {
        assert!(run.stdout.contains(part), "{part}\n{}", run.stdout);
    }
    assert!(env.run(["flag", "lint", "-o", "sarif"]).stdout.contains("\"ruleId\": \"E01\""));
    env.run(["flag", "lint", "new_matchmaking"]).expect_code(0);
    env.run(["flag", "lint", "new_matchmaking", "--fail-on", "medium"]).expect_code(1);
    env.run(["flag", "lint", "winter_event", "--fail-on", "low"]).expect_code(0);
    let names = env.run(["flag", "lint", "--all", "-o", "name"]).expect_code(1);
    assert_eq!(names.stdout, "odd\nbattle_pass\nnew_matchmaking\ndouble_xp\n");
}

#[test]
fn stale_is_judged_by_the_history() {
    let env = world();
    let stale = data(&env, &["flag", "stale"], 0);
    assert_eq!(stale["flags"].as_array().unwrap().len(), 1);
    assert_eq!((&stale["flags"][0]["name"], &stale["flags"][0]["days"]), (&json!("double_xp"), &json!(96)));
    assert_eq!(stale["untold"], 3);
    assert_eq!(data(&env, &["flag", "stale", "--days", "100"], 0)["flags"], json!([]));
    let run = env.run(["flag", "list", "--stale", "-o", "name"]).expect_code(0);
    assert_eq!(run.stdout, "double_xp\n");
}

#[test]
fn diff_compares_two_environments() {
    let env = world();
    let prod = FLAGS
        .replace("\"percentage\":10,", "\"percentage\": 5,")
        .replace("  \"odd\": [1]\n", "  \"old_shop\": {\"enabled\":true}\n");
    env.write("prod.json", prod);
    insta::assert_snapshot!(env.run(["flag", "diff", "--from", "staging", "--to", "prod"]).snapshot(), @r#"
    code: 1
    --- stdout
    staging → prod: 1 differ, 1 only in staging, 1 only in prod, 4 the same
      ~ new_matchmaking  percentage 5 to 10
      + odd  only in staging
      - old_shop  only in prod

    next: liveops flag history new_matchmaking -e prod
    --- stderr
    "#);
    env.run(["flag", "diff", "--from", "prod", "double_xp"]).expect_code(0);
    let names = env.run(["flag", "diff", "--from", "prod", "-o", "name"]).expect_code(1);
    assert_eq!(names.stdout, "new_matchmaking\nodd\nold_shop\n");
    let run = env.run(["flag", "diff", "--from", "prdo"]).expect_code(2);
    assert!(run.stderr.contains("did you mean `prod`?"), "{}", run.stderr);
    let run = env.run(["flag", "diff", "--from", "staging"]).expect_code(2);
    assert!(run.stderr.contains("the same as itself"), "{}", run.stderr);
}
