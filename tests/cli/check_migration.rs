//! `check migration`: layouts, verdicts, exit codes, and the screen of a first run.

use serde_json::Value;

use crate::support::{Run, TestEnv};

fn check(env: &TestEnv, more: &[&str]) -> Run {
    env.run(["check", "migration"].iter().chain(more))
}

fn statements(run: &Run) -> Vec<Value> {
    run.json()["data"]["statements"].as_array().unwrap().clone()
}

/// Orders and customers, then what hurts, what does not, and what nobody can tell.
fn world() -> TestEnv {
    let env = TestEnv::new();
    env.write("migrations/1_base.up.sql", "CREATE TABLE orders (id bigint PRIMARY KEY, note varchar(50), total int);\nCREATE TABLE customers (id bigint PRIMARY KEY);\nCREATE INDEX orders_total ON orders (total);\n");
    env.write("migrations/1_base.down.sql", "DROP TABLE orders;");
    env.write(
        "migrations/2_hurts.up.sql",
        "ALTER TABLE orders ALTER COLUMN total TYPE bigint;\n\nCREATE INDEX orders_note ON orders (note);\n",
    );
    env.write("migrations/3_free.up.sql", "ALTER TABLE orders ALTER COLUMN note TYPE varchar(100);\nALTER TABLE orders ADD COLUMN paid boolean NOT NULL DEFAULT false;\n");
    env
}

#[test]
fn a_statement_is_judged_by_the_schema_that_it_meets() {
    let env = world();
    let run = check(&env, &["migrations", "-o", "json"]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    let all = statements(&run);
    let of = |n: usize| (all[n]["work"].as_str().unwrap(), all[n]["blocks"].as_str().unwrap());
    // A table that the migration itself creates is nobody's yet.
    assert_eq!((of(0), of(2)), (("none", "none"), ("none", "none")));
    assert_eq!(of(3), ("rewrite", "reads"));
    assert_eq!(all[3]["locks"]["orders"], "AccessExclusiveLock");
    assert_eq!((all[3]["line"].as_u64(), all[4]["line"].as_u64()), (Some(1), Some(3)));
    assert_eq!(of(4), ("build", "writes"));
    assert_eq!(all[4]["locks"]["orders"], "ShareLock");
    // Wider, and a constant default: no row is touched.
    assert_eq!((of(5).0, of(6).0), ("none", "none"));
    assert_eq!(all.len(), 7, "what goes down is not run");
    // One file by itself: what came before it is there for the schema.
    let run = check(&env, &["migrations/3_free.up.sql", "-o", "json"]);
    assert_eq!((run.code, statements(&run).len()), (0, 2), "{}", run.stdout);
    // Before PostgreSQL 11 each row got the default.
    let old = check(&env, &["migrations/3_free.up.sql", "--target-version", "10", "-o", "json"]);
    assert_eq!((old.code, statements(&old)[1]["work"].as_str()), (1, Some("rewrite")));
}

#[test]
fn a_first_run_shows_the_three_worst_why_and_the_safe_way() {
    let env = world();
    env.write("migrations/4_more.up.sql", "ALTER TABLE orders ADD CONSTRAINT c FOREIGN KEY (id) REFERENCES customers (id);\nALTER TABLE orders ALTER COLUMN note SET NOT NULL;\nALTER TABLE orders DROP COLUMN paid;\n");
    let run = check(&env, &[]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(lines.len() <= 24, "{}", run.stdout);
    for word in [
        "M01",
        "orders",
        "migrations/2_hurts.up.sql:1",
        "expand, then contract",
        "CREATE INDEX CONCURRENTLY",
        "more:",
        "--all",
    ] {
        assert!(run.stdout.contains(word), "{word}: {}", run.stdout);
    }
    assert!(check(&env, &["--all"]).stdout.contains("M07"));
    let sarif: Value = serde_json::from_str(&check(&env, &["-o", "sarif"]).stdout).unwrap();
    assert!(sarif["runs"][0]["results"].as_array().unwrap().len() > 4);
}

#[test]
fn a_first_look_at_a_big_repository_is_one_screen() {
    let env = TestEnv::new();
    env.write("apps/a/prisma/migrations/20230101000000_init/migration.sql", "CREATE TABLE \"Orders\" (id int, n int);");
    for n in 1..8 {
        let name = format!("2024010{n}000000_number_{n}_of_a_long_history");
        let sql = "ALTER TABLE \"Orders\" ALTER COLUMN n TYPE bigint;\nALTER TABLE \"Orders\" ALTER COLUMN n TYPE int;";
        env.write(format!("apps/a/prisma/migrations/{name}/migration.sql"), sql);
        env.write(format!("apps/b{n}/migrations/1_a.up.sql"), "CREATE TABLE a (id int);");
        env.write(format!("apps/b{n}/migrations/sqlite/1_a.up.sql"), "CREATE TABLE a (id int);");
        env.write(format!("apps/b{n}/migrations/clickhouse/1_a.up.sql"), "CREATE TABLE a (id int);");
    }
    let run = check(&env, &[]);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(run.code == 1 && lines.len() <= 23, "{}", run.stdout);
    assert!(run.stdout.contains("migrations in 8 folders"), "{}", run.stdout);
    assert!(run.stdout.contains("7 files of ClickHouse, 7 files of SQLite not read"), "{}", run.stdout);
    // Each file is called the same: its folder tells which.
    let places = lines.iter().filter(|line| line.contains("2024010") && line.contains("/migration.sql:")).count();
    assert_eq!(places, 3, "{}", run.stdout);
    assert!(check(&env, &["--all"]).stdout.contains("1 migration in apps/b3/migrations: "), "{}", run.stdout);
}

#[test]
fn what_has_no_safe_way_says_why() {
    let env = TestEnv::new();
    env.write("m/1.sql", "CREATE TABLE a (id int, g int GENERATED ALWAYS AS (id + 1) STORED);");
    env.write("m/2.sql", "ALTER TABLE a ALTER COLUMN id TYPE bigint;\nCLUSTER a USING i;\nCREATE INDEX i ON a (id);");
    let run = check(&env, &["m", "--fix", "--out", "safe", "-o", "json"]);
    let json = run.json();
    let proof = |n: usize| json["data"]["findings"][n]["evidence"].to_string();
    assert!(proof(0).contains("--fix does not write it: a generated column of the table may read it"), "{json:#}");
    assert!(proof(1).contains("--fix does not write it"), "{json:#}");
    let run = check(&env, &["m", "--fix", "--out", "again"]);
    assert!(run.stdout.contains("not written: another way for 2 statements"), "{}", run.stdout);
}

#[test]
fn what_is_not_understood_is_unknown_and_never_safe() {
    let env = TestEnv::new();
    env.write("m/1.sql", "DO $$ BEGIN EXECUTE 'ALTER TABLE ' || 'a' || ' ADD x int'; END $$;\nALTER TABLE legacy ALTER COLUMN x TYPE bigint;\nFROBNICATE a;\n");
    let run = check(&env, &["m", "-o", "json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let all = statements(&run);
    assert!(all.iter().all(|one| one["work"] == "unknown" && one["blocks"] == "unknown"), "{all:?}");
    assert_eq!(run.json()["data"]["unknown"].as_array().unwrap().len(), 3);
    assert_eq!(check(&env, &["m", "--strict"]).code, 3);
    // With its base it is known.
    env.write("dump.sql", "CREATE TABLE public.legacy (\n    x integer\n);\n");
    env.write("m/1.sql", "ALTER TABLE legacy ALTER COLUMN x TYPE bigint;");
    let known = check(&env, &["m", "--schema", "dump.sql", "-o", "json"]);
    assert_eq!((known.code, statements(&known)[0]["work"].as_str()), (1, Some("rewrite")));
}

#[test]
fn what_never_ends_is_not_understood() {
    for end in ["DEFAULT 'x;\n", "DEFAULT $$x;\n", "DEFAULT \"x;\n", "; /* x\n"] {
        let env = TestEnv::new();
        env.write("m/1.sql", "CREATE TABLE a (id int);");
        env.write("m/2.sql", format!("ALTER TABLE a ADD COLUMN b text {end}DROP TABLE a;"));
        let run = check(&env, &["m", "--strict"]);
        assert!(run.code == 3 && run.stdout.contains("never ends"), "{end}: {}", run.stdout);
        assert!(run.stdout.contains("m/2.sql:1"), "{end}: {}", run.stdout);
    }
}

#[test]
fn a_transaction_holds_its_locks_and_refuses_what_is_concurrent() {
    let env = TestEnv::new();
    env.write("m/1_a.sql", "-- +goose Up\nCREATE TABLE a (id int, b int);\n-- +goose Down\nDROP TABLE a;\n");
    env.write("m/2_b.sql", "-- +goose Up\nCREATE INDEX CONCURRENTLY i ON a (b);\n");
    env.write("m/3_c.sql", "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY j ON a (b);\n");
    env.write("m/4_d.sql", "-- +goose Up\nALTER TABLE a ADD COLUMN c int;\nUPDATE a SET c = 1;\n");
    let run = check(&env, &["m", "-o", "json"]);
    let json = run.json();
    let found: Vec<(&str, &str)> = json["data"]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].as_str().unwrap(), one["file"].as_str().unwrap()))
        .collect();
    assert!(
        found.contains(&("M05", "m/2_b.sql"))
            && found.contains(&("M08", "m/4_d.sql"))
            && found.contains(&("M11", "m/4_d.sql")),
        "{found:?}"
    );
    assert!(!found.iter().any(|(_, file)| *file == "m/3_c.sql"), "{found:?}");
}

#[test]
fn mysql_says_algorithm_and_lock_and_its_traps() {
    let env = TestEnv::new();
    env.write(
        "mysql/1.sql",
        "CREATE TABLE a (id int PRIMARY KEY, v varchar(50)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;",
    );
    env.write("mysql/2.sql", "ALTER TABLE a ADD COLUMN x int NOT NULL;\nALTER TABLE a MODIFY v varchar(100);\nALTER TABLE a ADD COLUMN y int, ADD CONSTRAINT c CHECK (y > 0);\nALTER TABLE a ADD COLUMN z int, ALGORITHM=INSTANT, LOCK=NONE;\n");
    let run = check(&env, &["mysql", "-o", "json"]);
    let all = statements(&run);
    let of = |n: usize| (all[n]["algorithm"].as_str(), all[n]["lock"].as_str(), all[n]["blocks"].as_str());
    assert_eq!(of(1), (Some("INSTANT"), Some("NONE"), Some("none")));
    assert_eq!(of(2), (Some("COPY"), Some("SHARED"), Some("writes")));
    assert_eq!(of(3), (Some("COPY"), Some("SHARED"), Some("writes")));
    let text = run.stdout;
    for word in ["0 or '' silently", "LOCK=DEFAULT alone", "two statements"] {
        assert!(text.contains(word), "{word}");
    }
    assert!(all[1].get("locks").is_none());
    let mariadb = check(&env, &["mysql", "--dialect", "mariadb", "-o", "json"]);
    assert!(!mariadb.stdout.contains("LOCK=DEFAULT alone"));
}

#[test]
fn wrong_calls_say_what_is_right() {
    let env = world();
    let run = check(&env, &["migrations", "--target-version", "9"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("PostgreSQL 9 is not known") && run.stderr.contains("--target-version 16"),
        "{}",
        run.stderr
    );
    assert_eq!(check(&env, &["migrations", "--target-version", "new"]).code, 2);
    assert_eq!(check(&env, &["nowhere"]).code, 2);
    env.write("empty/readme.md", "");
    assert_eq!(check(&env, &["empty"]).code, 2);
    env.write("sqlite/1.sql", "PRAGMA foreign_keys = ON;");
    let run = check(&env, &["sqlite"]);
    assert_eq!(run.code, 3, "{}", run.stdout);
    assert!(run.stdout.contains("SQLite"), "{}", run.stdout);
}

#[test]
fn a_waiver_beside_the_statement_and_a_baseline_hold() {
    let env = world();
    assert_eq!(check(&env, &["migrations", "--write-baseline", "known.json"]).code, 1);
    assert_eq!(check(&env, &["migrations", "--baseline", "known.json"]).code, 0);
    env.write("migrations/4_new.up.sql", "CREATE INDEX n ON orders (paid);");
    assert_eq!(check(&env, &["migrations", "--baseline", "known.json"]).code, 1);
}
