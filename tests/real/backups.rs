//! `check backups` with real tools that hold real backups: pgBackRest of a PostgreSQL that archives, and Borg.

use std::process::Command;

use serde_json::Value;

use crate::support::postgres::as_user;
use crate::support::{Postgres, Run, TestEnv};

const COPIES: &str = "restore_test: never\n    encrypted: false\n    copies: [{ place: here }, { place: there, off_site: true, immutable: true }]";

/// Rules with a finding that fails.
fn failing(run: &Run) -> Vec<String> {
    let json = run.json();
    let all = json["data"]["findings"].as_array().unwrap().clone();
    let heavy = |one: &&Value| one["level"] == "BLOCKER" || one["level"] == "HIGH";
    all.iter().filter(heavy).map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[allow(clippy::disallowed_methods, reason = "the tool is what is looked at")]
fn shell(env: &TestEnv, line: &str) -> Result<String, String> {
    let done = Command::new("/bin/sh").args(["-c", line]).current_dir(env.root()).env("HOME", env.root()).output();
    let done = done.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    if done.status.success() { Ok(text) } else { Err(text) }
}

#[test]
fn pgbackrest_with_a_backup_passes_and_without_one_or_its_archive_does_not() {
    let env = TestEnv::new();
    let cluster = Postgres::archiving();
    let config = cluster.folder().join("pgbackrest.conf").display().to_string();
    let call = format!(
        "cd {} && {}pgbackrest --config={config} --stanza=main --log-level-console=error",
        cluster.folder().display(),
        as_user(cluster.folder())
    );
    env.write(
        "liveops.yaml",
        format!(
            "version: 1\nenvironments: {{ prod: {{}} }}\nbackups:\n  - name: db\n    {COPIES}\n    archived: true\n    source: {{ kind: pgbackrest, stanza: main, command: [pgbackrest, '--config={config}', --log-level-file=off] }}\n"
        ),
    );
    env.trust();
    // A stanza without a backup.
    shell(&env, &format!("{call} stanza-create")).expect("the Debian package `pgbackrest` is installed");
    let run = env.run(["check", "backups", "-o", "json"]);
    assert_eq!((run.code, failing(&run)), (1, vec!["B01".to_owned()]), "{}", run.stdout);
    shell(&env, &format!("{call} --type=full backup")).expect("it backs up");
    let run = env.run(["check", "backups", "-o", "json"]);
    assert_eq!((run.code, failing(&run)), (0, vec![]), "{}", run.stdout);
    assert_eq!(run.json()["data"]["backups"][0]["good"], 1);
    // The repository loses its stanza's backups behind everybody's back.
    shell(
        &env,
        &format!(
            "rm -r {0}/repo/backup && mkdir {0}/repo/backup && chmod 755 {0}/repo/backup",
            cluster.folder().display()
        ),
    )
    .expect("they are removed");
    let run = env.run(["check", "backups", "-o", "json"]);
    assert_eq!(run.code, 1, "{}", run.stdout);
    assert!(failing(&run).contains(&"B01".to_owned()), "{}", run.stdout);
}

#[test]
fn borg_tells_of_an_archive_that_was_emptied() {
    let env = TestEnv::new();
    env.write(
        "liveops.yaml",
        format!("version: 1\nenvironments: {{ prod: {{}} }}\nbackups:\n  - name: files\n    {COPIES}\n    source: {{ kind: borg, command: [borg], env: {{ BORG_REPO: '{}/repository', BORG_BASE_DIR: '{}', BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes' }} }}\n", env.root().display(), env.root().display()),
    );
    env.trust();
    let root = env.root().display().to_string();
    let borg = |words: &str| {
        let vars = format!(
            "BORG_REPO={root}/repository BORG_BASE_DIR={root} BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes TZ=UTC"
        );
        shell(&env, &format!("{vars} borg {words}")).expect("the Debian package `borgbackup` is installed")
    };
    borg("init -e none");
    let empty = env.run(["check", "backups", "-o", "json"]);
    assert_eq!((empty.code, failing(&empty)), (1, vec!["B01".to_owned()]), "{}{}", empty.stdout, empty.stderr);
    // Their times are whole seconds.
    let at = |ago: &str| format!("--timestamp $(date -u -d '{ago} hours ago' +%FT%T)");
    for (n, size) in [200_000, 210_000].into_iter().enumerate() {
        std::fs::create_dir_all(env.root().join("data")).unwrap();
        std::fs::write(env.root().join("data/orders.sql"), vec![7; size]).unwrap();
        borg(&format!("create {} ::night-{n} data", at(&(3 - n).to_string())));
    }
    let good = env.run(["check", "backups", "-o", "json"]);
    assert_eq!(good.code, 0, "{}{}", good.stdout, good.stderr);
    assert_eq!(good.json()["data"]["backups"][0]["good"], 2);
    std::fs::write(env.root().join("data/orders.sql"), "").unwrap();
    borg(&format!("create {} ::night-2 data", at("1")));
    let bad = env.run(["check", "backups", "-o", "json"]);
    let found = failing(&bad);
    assert!(bad.code == 1 && found.iter().any(|id| id == "B05" || id == "B03"), "{}", bad.stdout);
}
