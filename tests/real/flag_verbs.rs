//! Every verb of `liveops flag` says of a real Redis what it says of a file with the same flags, on a screen and in JSON.

use regex::Regex;

use crate::support::TestEnv;
use crate::support::redis::{cli, server};

/// What is to be run, and the exit code that it has everywhere.
type Step = (&'static str, i32);

const FORMATS: [&str; 2] = ["table", "json"];

/// `NAME` is a flag of its own in each format.
const WRITES: [Step; 20] = [
    ("set NAME --pct 10 --reason because", 0),
    ("set NAME --pct 20 --dry-run", 0),
    ("set NAME --pct 20", 0),
    ("set NAME --pct 20", 0),
    ("set NAME --pct 200", 2),
    ("set NAME --pct 30 --expect-rev 1", 4),
    ("enable NAME", 0),
    ("disable NAME", 0),
    ("enable NAME", 0),
    ("kill NAME", 0),
    ("undo NAME", 0),
    ("allow NAME add qa_1 qa_2", 0),
    ("allow NAME rm qa_2", 0),
    ("block NAME add cheater", 0),
    ("promote NAME --from dev --to prod", 0),
    ("import NAME.json", 0),
    ("import NAME.json --apply", 0),
    ("rm NAME", 0),
    ("rm NAME", 2),
    ("set NAME --pct 10", 0),
];

const READS: [Step; 22] = [
    ("list", 0),
    ("list --stale", 0),
    ("get in_table", 0),
    ("get absent", 2),
    ("history in_table", 0),
    ("history absent", 2),
    ("explain user_1", 0),
    ("explain user_1 in_table in_json", 0),
    ("eval in_table --user user_1", 0),
    ("eval absent --user user_1", 2),
    ("eval in_table --users users.txt", 0),
    ("eval in_table --users users.txt --count", 0),
    ("preview in_table --pct 50 --users users.txt", 0),
    ("overlap in_table in_json --users users.txt", 0),
    ("lint", 1),
    ("lint in_table", 0),
    ("stale", 0),
    ("diff --from dev --to prod", 1),
    ("diff --from dev --to dev", 2),
    ("export", 0),
    ("export in_table --format flagd --lossy", 0),
    ("export absent", 2),
];

fn at(dev: &str, prod: &str) -> TestEnv {
    let env = TestEnv::new().now("2026-11-24T12:00:00Z").var("LIVEOPS_ACTOR", "ada");
    env.write(
        "liveops.yaml",
        format!("version: 1\nenvironments:\n  dev: {{ flags: {{ url: \"{dev}\" }} }}\n  prod: {{ flags: {{ url: \"{prod}\" }} }}\n"),
    );
    env.write("users.txt", "user_1\nuser_123\nqa_1\n");
    for format in FORMATS {
        let definition = r#"{"enabled":true,"percentage":5,"defaultValue":true}"#;
        env.write(format!("in_{format}.json"), format!("{{\"imported_{format}\":{definition}}}"));
    }
    env
}

/// What a step says, without what must differ: where the store is, how long it took, and the ids of changes. That
/// readers were told is so on Redis alone.
fn said(env: &TestEnv, (verb, code): Step, format: &str, stores: [&str; 2]) -> String {
    let named = verb.replace("NAME", &format!("in_{format}"));
    let words = named.split(' ').chain(["-e", "dev", "--yes", "-o", format]);
    let run = env.run(["flag"].into_iter().chain(words));
    assert_eq!(run.code, code, "{named} -o {format}\n{}{}", run.stdout, run.stderr);
    let mut text = format!("{}--- stderr\n{}", run.stdout, run.stderr);
    for store in stores {
        text = text.replace(store, "STORE");
    }
    let root = env.path().display().to_string();
    text = text.replace(&format!("file:{root}/"), "").replace(&format!("{root}/"), "");
    for (pattern, with) in [
        (r#""latency_ms": \d+"#, "LATENCY"),
        (r"\bc[0-9a-f]{8}\b", "CHANGE"),
        (r#""notified": (true|false)"#, "NOTIFIED"),
    ] {
        let pattern = Regex::new(pattern).unwrap();
        text = pattern.replace_all(&text, with).into_owned();
    }
    text
}

#[test]
fn each_verb_says_of_redis_what_it_says_of_a_file() {
    let redis = server("");
    // Not database 0, which is shown by its server alone.
    let urls = [1, 2].map(|db| format!("redis://127.0.0.1:{}/{db}", redis.port()));
    let files = ["dev.json", "prod.json"];
    let on_redis = at(&urls[0], &urls[1]);
    let on_file = at("file:dev.json", "file:prod.json");
    // Somebody else wrote a flag that is on for nobody: lint has something to say.
    let odd = r#"{"enabled":true,"percentage":10,"allowlist":["admin_user_1"],"defaultValue":false}"#;
    cli(redis.port(), &["-n", "1", "HSET", "feature_flags", "odd", odd]);
    on_file.write("dev.json", format!("{{\"odd\":{odd}}}\n"));
    for step in WRITES.into_iter().chain(READS) {
        for format in FORMATS {
            let theirs = said(&on_redis, step, format, [&urls[0], &urls[1]]);
            let ours = said(&on_file, step, format, files);
            assert_eq!(theirs, ours, "{} -o {format}: Redis, then the file", step.0);
        }
    }
}
