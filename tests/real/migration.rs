//! What `check migration --fix` writes, on a real PostgreSQL: the same schema in the end, and nobody waits for rows.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Postgres, TestEnv};

const BASE: &str = "-- +goose Up
CREATE TABLE customers (id bigint PRIMARY KEY, code int);
CREATE TABLE orders (id bigint, customer bigint, note varchar(50), total int, \"Mixed\" int);
INSERT INTO customers SELECT g, g FROM generate_series(1, 500) g;
INSERT INTO orders SELECT g, g % 500 + 1, 'n', g, g FROM generate_series(1, 5000) g;
";

/// A migration each, with room for the versions that its parts take.
const FIXABLE: [&str; 14] = [
    "CREATE INDEX orders_total ON orders (total);\nALTER TABLE orders ADD COLUMN plain int;",
    "ALTER TABLE orders ADD CONSTRAINT positive CHECK (total > 0);",
    "ALTER TABLE orders ADD CHECK (total < 100000);",
    "ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE CASCADE;",
    "ALTER TABLE public.orders ADD FOREIGN KEY (customer) REFERENCES customers (id);",
    "ALTER TABLE orders ALTER COLUMN note SET NOT NULL, ALTER COLUMN note SET DEFAULT 'x';",
    "ALTER TABLE orders ADD CONSTRAINT total_once UNIQUE (total);",
    "ALTER TABLE customers ADD UNIQUE (code);",
    "ALTER TABLE orders ADD PRIMARY KEY (id);",
    "ALTER TABLE orders ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid();",
    "ALTER TABLE orders ADD COLUMN seen timestamptz DEFAULT clock_timestamp(), ADD COLUMN few int;",
    "ALTER TABLE orders ADD COLUMN number bigserial;\nALTER TABLE orders ADD COLUMN small serial UNIQUE;",
    "ALTER TABLE orders ADD COLUMN age int DEFAULT 5 CHECK (age > 0), ADD COLUMN owner bigint DEFAULT 1 REFERENCES customers (id);",
    "CREATE UNIQUE INDEX mixed ON orders (\"Mixed\") WHERE total > 3;\nALTER TABLE orders ALTER \"Mixed\" SET NOT NULL;",
];

fn version(name: &str) -> u32 {
    name.split('_').next().unwrap().parse().unwrap()
}

#[test]
fn the_safe_way_ends_in_the_same_schema_and_nobody_waits_for_rows() {
    let env = TestEnv::new();
    let mut files: BTreeMap<String, String> = BTreeMap::from([("1000_base.sql".to_owned(), BASE.to_owned())]);
    for (n, sql) in FIXABLE.iter().enumerate() {
        files.insert(format!("{}_step.sql", 1100 + n * 100), format!("-- +goose Up\n{sql}\n-- +goose Down\n"));
    }
    for (name, text) in &files {
        env.write(format!("m/{name}"), text);
    }
    let run = env.run(["check", "migration", "m", "--fix", "--out", "safe", "-o", "json"]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    let written = run.json()["data"]["written"]
        .as_array()
        .unwrap()
        .iter()
        .map(|path| path.as_str().unwrap().to_owned())
        .collect::<Vec<_>>();
    let mut changed: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for path in &written {
        let name = path.rsplit('/').next().unwrap();
        changed.entry(version(name) / 100).or_default().push(name.to_owned());
    }
    assert_eq!(changed.len(), FIXABLE.len(), "{written:?}");

    let server = Postgres::start();
    server.database("before");
    server.database("after");
    for (name, text) in &files {
        env.write("up.sql", text.split("-- +goose Down").next().unwrap());
        server.file("before", &env.path().join("up.sql"), true);
        if !changed.contains_key(&(version(name) / 100)) {
            server.file("after", &env.path().join("up.sql"), true);
            env.write(format!("all/{name}"), text);
            continue;
        }
        for part in &changed[&(version(name) / 100)] {
            let text = env.read(format!("safe/m/{part}"));
            env.write(format!("all/{part}"), &text);
        }
    }
    // The parts, statement by statement, with what the server says that it does, and the locks that it then holds.
    let run = env.run(["check", "migration", "all", "-o", "json", "--fail-on", "medium"]);
    let json = run.json();
    let hurt: Vec<&Value> = json["data"]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| ["M01", "M02", "M03", "M04", "M05"].contains(&one["id"].as_str().unwrap()))
        .collect();
    assert!(hurt.is_empty(), "{hurt:#?}");
    let mut by_file: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in json["data"]["statements"].as_array().unwrap() {
        by_file.entry(one["file"].as_str().unwrap()).or_default().push(one["statement"].as_str().unwrap());
    }
    let held = "SELECT '@locks ' || coalesce(string_agg(relname || '=' || mode, ' '), '') FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE pid = pg_backend_pid() AND relkind = 'r' AND relnamespace = 'public'::regnamespace";
    for (file, statements) in by_file {
        if file.ends_with("1000_base.sql") {
            continue;
        }
        let alone = env.read(file).contains("NO TRANSACTION");
        let mut script = String::from("SET client_min_messages = debug1;\n");
        script.push_str(if alone { "" } else { "BEGIN;\n" });
        for sql in statements {
            script.push_str(&format!("{sql};\n{held};\n"));
        }
        script.push_str(if alone { "" } else { "COMMIT;\n" });
        env.write("script.sql", &script);
        let told = server.file("after", &env.path().join("script.sql"), false);
        let mut works = false;
        for line in told.lines() {
            works |= ["rewriting table", "verifying table", "building index", "validating foreign key"]
                .iter()
                .any(|word| line.contains(word));
            if let Some(locks) = line.split_once("@locks ").map(|(_, locks)| locks) {
                let blocks = ["AccessExclusiveLock", "=ExclusiveLock", "=ShareLock", "=ShareRowExclusiveLock"]
                    .iter()
                    .any(|lock| locks.contains(lock));
                assert!(!(works && blocks), "{file}: {told}");
                works = false;
            }
        }
    }
    similar(&server.schema("before"), &server.schema("after"));
    // What was filled in batches is filled to the last row.
    let empty = server.sql(
        "after",
        "SELECT count(*) FROM orders WHERE token IS NULL OR seen IS NULL OR number IS NULL OR small IS NULL",
    );
    assert_eq!(empty.trim(), "0");
}

#[track_caller]
fn similar(before: &str, after: &str) {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let only = |a: &[&str], b: &[&str]| {
        a.iter().filter(|line| !b.contains(line)).map(|line| (*line).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(before, after, "only before: {:#?}\nonly after: {:#?}", only(&before, &after), only(&after, &before));
}
