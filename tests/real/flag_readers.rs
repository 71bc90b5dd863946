//! Flags as liveops decides about them, against the JavaScript reader under Node: the same answer for every user.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::{Map, Value, json};

use crate::support::TestEnv;

/// Each flag is a process of liveops, whose start costs as much as a thousand users: rather more users than flags.
const FLAGS: usize = 160;
const USERS: usize = 640;
/// Of two flags one is read by each.
const READERS: [&str; 2] = ["legacy-v1", "v2"];

/// `node` with these arguments; what it prints.
#[allow(clippy::disallowed_methods, reason = "a test starts the program that it compares with")]
fn node(arguments: &[&str], stdin: &Path) -> String {
    let output = Command::new("node")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(std::fs::File::open(stdin).unwrap())
        .output()
        .unwrap_or_else(|error| {
            panic!("`node` cannot be started ({error}); install the Debian package `nodejs`, or run scripts/test")
        });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_reader_passes_its_own_tests() {
    let said =
        node(&["--test", "--test-reporter=tap", "contrib/readers/feature-flags.test.mjs"], Path::new("/dev/null"));
    assert!(said.contains("# fail 0") && !said.contains("# pass 0"), "{said}");
}

/// xorshift: the same cases in every run, so that a failure can be looked at.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.roll(of.len())]
    }
}

const ODD_IDS: [&str; 14] = [
    "",
    "anonymous",
    "é",
    "e\u{301}",
    "日本",
    "🚀",
    "𐐷x",
    "polygenelubricants",
    " ",
    "a,b\"c",
    "\u{feff}x",
    "0",
    "\u{10ffff}",
    "toString",
];

fn id(dice: &mut Dice) -> String {
    match dice.roll(6) {
        0 => dice.pick(&ODD_IDS).to_owned(),
        1 => format!("{}", dice.roll(100_000)),
        2 => (0..dice.roll(9)).map(|_| char::from_u32(0x20 + dice.roll(0x3000) as u32).unwrap_or('x')).collect(),
        _ => format!("player-{}", dice.roll(2000)),
    }
}

fn list(dice: &mut Dice) -> Option<String> {
    match dice.roll(12) {
        0 => None,
        1 => Some(
            dice.pick(&[
                "null",
                "{}",
                "7",
                "true",
                "\"player-1player-22\"",
                "\"\"",
                "[[\"a\"]]",
                "[1,1e3,12345678901234567890,null]",
            ])
            .to_owned(),
        ),
        2 | 3 => Some("[]".into()),
        _ => {
            let ids: Vec<String> = (0..dice.roll(60)).map(|_| id(dice)).collect();
            Some(json!(ids).to_string())
        }
    }
}

const OPERATORS: [&str; 15] = [
    "eq",
    "ne",
    "in",
    "not_in",
    "lt",
    "lte",
    "gt",
    "gte",
    "starts_with",
    "ends_with",
    "contains",
    "matches",
    "semver_lt",
    "semver_gte",
    "near",
];
const SCALARS: [&str; 24] = [
    "\"eu\"",
    "\"us\"",
    "\"eu-west\"",
    "12",
    "\"12\"",
    "\"12.0\"",
    "0",
    "-0.5",
    "\" 7 \"",
    "\"\"",
    "true",
    "\"true\"",
    "false",
    "\"1.4.0\"",
    "\"v1.4\"",
    "\"1.4.0-rc.1\"",
    "\"1.4.0-rc.11\"",
    "\"1.4.0+b\"",
    "\"1\"",
    "\"^eu\"",
    "\"[a-e]u-?\"",
    "\"\\\\d+$\"",
    "\"0x10\"",
    "1e400",
];

fn condition(dice: &mut Dice) -> String {
    let values: Vec<&str> = (0..dice.roll(4)).map(|_| dice.pick(&SCALARS)).collect();
    let values = match dice.roll(5) {
        0 => format!("\"value\":{}", dice.pick(&SCALARS)),
        _ => format!("\"values\":[{}]", values.join(",")),
    };
    format!(
        "\"attribute\":\"{}\",\"operator\":\"{}\",{values}",
        dice.pick(&["region", "level", "client", "tags", "none"]),
        dice.pick(&OPERATORS)
    )
}

fn rules(dice: &mut Dice) -> Option<String> {
    if dice.roll(3) == 0 {
        return dice
            .pick(&[None, Some("null"), Some("[]"), Some("{}"), Some("\"x\""), Some("[7]")].each_ref())
            .map(str::to_owned);
    }
    let rules: Vec<String> = (0..dice.roll(4))
        .map(|_| {
            let enabled = dice.pick(&["true", "false", "true", "false", "true", "false", "\"yes\""]);
            match dice.roll(4) {
                0 => format!("{{\"all\":[{{{}}},{{{}}}],\"enabled\":{enabled}}}", condition(dice), condition(dice)),
                _ => format!("{{{},\"enabled\":{enabled}}}", condition(dice)),
            }
        })
        .collect();
    Some(format!("[{}]", rules.join(",")))
}

/// A flag as services may have written it: mostly sound, sometimes anything.
fn flag(dice: &mut Dice) -> String {
    let mut members = Vec::new();
    let enabled = ["true", "true", "true", "true", "true", "true", "false", "1", "0", "\"false\"", "null", "[]"];
    members.push(format!("\"enabled\":{}", dice.pick(&enabled)));
    let percentage = match dice.roll(3) {
        0 => dice
            .pick(&[
                "null", "\"10\"", "10.5", "0.5", "99.999", "-5", "250", "\"ten\"", "[30]", "[]", "{}", "true", "1e400",
                "\" 40 \"", "\"0x20\"", "1e1",
            ])
            .to_owned(),
        _ => dice.roll(101).to_string(),
    };
    if dice.roll(10) > 0 {
        members.push(format!("\"percentage\":{percentage}"));
    }
    for name in ["allowlist", "blocklist"] {
        members.extend(list(dice).map(|list| format!("\"{name}\":{list}")));
    }
    members.extend(rules(dice).map(|rules| format!("\"rules\":{rules}")));
    if dice.roll(8) > 0 {
        members
            .push(format!("\"defaultValue\":{}", dice.pick(&["true", "true", "true", "false", "1", "\"\"", "null"])));
    }
    if dice.roll(6) == 0 {
        members.push(format!("\"salt\":{}", dice.pick(&["\"s\"", "\"日\"", "null", "7"])));
    }
    format!("{{{}}}", members.join(","))
}

fn user(dice: &mut Dice) -> Value {
    let mut user = Map::from_iter([("id".to_owned(), Value::from(id(dice)))]);
    let values = [
        json!("eu"),
        json!("us"),
        json!("eu-west"),
        json!(12),
        json!("12"),
        json!(7.5),
        json!("7"),
        json!(true),
        json!(null),
        json!(""),
        json!("1.4.0"),
        json!("1.4"),
        json!("1.4.0-rc.2"),
        json!("1.10"),
        json!(["eu", 12, true]),
        json!({}),
        json!("16"),
        json!("日本"),
    ];
    for name in ["region", "level", "client", "tags"] {
        if dice.roll(4) > 0 {
            user.insert(name.into(), values[dice.roll(values.len())].clone());
        }
    }
    Value::Object(user)
}

/// Reads `{flags: [[reader, name, text]], users}` and prints a line for each flag: t, f or u for each user.
const JUDGE: &str = r#"
import { readFileSync } from 'node:fs';
import { evaluate } from './contrib/readers/feature-flags.mjs';
const { flags, users } = JSON.parse(readFileSync(0, 'utf8'));
for (const [reader, name, text] of flags) {
  const flag = JSON.parse(text);
  const letters = users.map(({ id, ...attributes }) => {
    try {
      const on = evaluate(flag, name, id, attributes, reader);
      return on === undefined ? 'u' : on ? 't' : 'f';
    } catch { return 'u'; }
  });
  console.log(letters.join(''));
}
"#;

fn letters(env: &TestEnv, reader: &str, name: &str) -> String {
    let run =
        env.run(["--config", &format!("{reader}.yaml"), "flag", "eval", name, "--users", "users.jsonl", "-o", "json"]);
    assert!(run.code == 0 || run.code == 3, "{name}: {}", run.stderr);
    run.stdout
        .lines()
        .map(|line| match line.rsplit_once("\"on\":").map(|(_, on)| on) {
            Some("true}") => 't',
            Some("false}") => 'f',
            Some("null}") => 'u',
            _ => panic!("{line}"),
        })
        .collect()
}

#[test]
fn more_than_a_hundred_thousand_answers_are_those_of_the_reader() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let flags: Vec<(&str, String, String)> =
        (0..FLAGS).map(|n| (READERS[n % 2], format!("flag_{n}"), flag(&mut dice))).collect();
    let users: Vec<Value> = (0..USERS).map(|_| user(&mut dice)).collect();
    let env = TestEnv::new();
    let members: Vec<String> = flags.iter().map(|(_, name, text)| format!("\"{name}\":{text}")).collect();
    env.write("flags.json", format!("{{{}}}", members.join(",\n")));
    for reader in READERS {
        env.write(format!("{reader}.yaml"), format!("version: 1\nenvironments: {{ default: {{ flags: {{ url: \"file:flags.json\", reader: {reader} }} }} }}\n"));
    }
    let mut lines = String::new();
    for user in &users {
        writeln!(lines, "{user}").unwrap();
    }
    env.write("users.jsonl", lines);
    let question = env.write("question.json", json!({ "flags": flags, "users": users }).to_string());
    let told = node(&["--input-type=module", "-e", JUDGE], &question);
    let told: Vec<&str> = told.lines().collect();
    assert_eq!(told.len(), FLAGS);

    let found: Vec<String> = thread::scope(|scope| {
        let parts: Vec<_> = flags
            .chunks(FLAGS.div_ceil(4))
            .map(|part| {
                let env = &env;
                scope.spawn(move || part.iter().map(|(reader, name, _)| letters(env, reader, name)).collect::<Vec<_>>())
            })
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });

    let mut wrong = Vec::new();
    let mut seen: std::collections::BTreeMap<char, usize> = std::collections::BTreeMap::new();
    for (((reader, _, text), theirs), ours) in flags.iter().zip(&told).zip(&found) {
        assert_eq!(ours.len(), USERS);
        for ((user, theirs), ours) in users.iter().zip(theirs.chars()).zip(ours.chars()) {
            *seen.entry(ours).or_default() += 1;
            // A pattern on text beyond ASCII is the one thing of which liveops claims less than JavaScript.
            let unclaimed = ours == 'u' && text.contains("\"matches\"") && user.to_string().contains('日');
            if ours != theirs && !unclaimed {
                wrong.push(format!("{reader} says {theirs}, liveops {ours}: {text} {user}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ, such as\n{}", wrong.len(), wrong[..wrong.len().min(5)].join("\n"));
    assert!(
        seen.values().sum::<usize>() > 100_000 && seen.values().all(|count| *count > 1000) && seen.len() == 3,
        "{seen:?}"
    );
}
