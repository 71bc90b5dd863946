//! A real PostgreSQL, and its own tools to ask it.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{Program, Server};

/// PostgreSQL refuses to run as root: then it runs as this user.
const NOBODY: u32 = 65_534;

pub(crate) struct Postgres {
    server: Server,
}

impl Postgres {
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::with(|port, folder| call(port, folder, "-c unix_socket_directories="))
    }

    /// One whose WAL goes to pgBackRest's repository beside it; `pgbackrest.conf` in its folder knows both.
    #[track_caller]
    pub(crate) fn archiving() -> Self {
        Self::with(|port, folder| {
            let at = folder.display();
            for name in ["repo", "log", "lock", "spool"] {
                let inner = folder.join(name);
                std::fs::create_dir_all(&inner).expect("the test's own folder is writable");
                if !as_user(folder).is_empty() {
                    chown(inner, Some(NOBODY), Some(NOBODY)).expect("root may give a folder away");
                }
            }
            let config = format!(
                "[global]\nrepo1-path={at}/repo\nlog-path={at}/log\nlock-path={at}/lock\nspool-path={at}/spool\nlog-level-file=off\nstart-fast=y\ncompress-level=0\nrepo1-retention-full=9\n[main]\npg1-path={at}/data\npg1-port={port}\npg1-socket-path={at}\npg1-user=postgres\n"
            );
            std::fs::write(folder.join("pgbackrest.conf"), config).expect("the test's own folder is writable");
            let archive = format!("pgbackrest --config={at}/pgbackrest.conf --stanza=main archive-push %p");
            call(
                port,
                folder,
                &format!("-c unix_socket_directories={at} -c archive_mode=on -c 'archive_command={archive}'"),
            )
        })
    }

    #[track_caller]
    fn with(args: fn(u16, &Path) -> Vec<String>) -> Self {
        let program = Program {
            binary: "/bin/sh",
            package: "postgresql",
            args,
            ready: |port| run(tool("psql"), port, &["-d", "postgres", "-c", "SELECT 1"]).is_ok(),
        };
        let server = Server::start(program, |folder| {
            if !as_user(folder).is_empty() {
                chown(folder, Some(NOBODY), Some(NOBODY)).expect("root may give a folder away");
                std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
            }
            let call = format!(
                "{}{} -D {}/data -U postgres -A trust -N",
                as_user(folder),
                tool("initdb").display(),
                folder.display()
            );
            shell(&call).expect("install the Debian package `postgresql`, or run scripts/test");
        });
        Self { server }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.server.folder()
    }

    #[track_caller]
    pub(crate) fn database(&self, name: &str) {
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
    }

    /// What psql prints, notices among it.
    #[track_caller]
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        run(tool("psql"), self.server.port(), &["-d", database, "-v", "ON_ERROR_STOP=1", "-At", "-c", sql])
            .expect("psql runs it")
    }

    /// Runs a file as it stands: in one transaction, or each statement in its own.
    #[track_caller]
    pub(crate) fn file(&self, database: &str, path: &Path, together: bool) -> String {
        let path = path.display().to_string();
        let mut args = vec!["-d", database, "-v", "ON_ERROR_STOP=1", "-At", "-f", path.as_str()];
        if together {
            args.push("-1");
        }
        run(tool("psql"), self.server.port(), &args).expect("psql runs them")
    }

    /// The whole schema, as `pg_dump -s` writes it.
    #[track_caller]
    pub(crate) fn schema(&self, database: &str) -> String {
        let dump = run(tool("pg_dump"), self.server.port(), &["-s", "-d", database]).expect("pg_dump dumps it");
        // Its guard against hostile dumps is another word each time.
        dump.lines().filter(|line| !line.contains("restrict ")).collect::<Vec<_>>().join("\n")
    }
}

fn call(port: u16, folder: &Path, more: &str) -> Vec<String> {
    let options = format!("-c listen_addresses=127.0.0.1 -c fsync=off -c timezone=Europe/Berlin {more}");
    let postgres = format!("{} -D {}/data -p {port} {options}", tool("postgres").display(), folder.display());
    vec!["-c".into(), format!("exec {}{postgres}", as_user(folder))]
}

/// The word before a program that must not run as root.
pub(crate) fn as_user(folder: &Path) -> &'static str {
    let owner = folder.metadata().map(|metadata| metadata.uid()).unwrap_or_default();
    if owner == 0 || owner == NOBODY { "setpriv --reuid=65534 --regid=65534 --clear-groups " } else { "" }
}

/// Debian keeps the server's programs off PATH, a folder a version.
fn tool(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.exists()).collect();
    found.sort();
    found.pop().unwrap_or_else(|| name.into())
}

#[allow(clippy::disallowed_methods, reason = "a test looks at the server by its own tool")]
fn shell(call: &str) -> Result<String, String> {
    let output = Command::new("/bin/sh").args(["-c", call]).output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(text) } else { Err(text) }
}

/// Both outputs in one, in order.
#[allow(clippy::disallowed_methods, reason = "a test looks at the server by its own tool")]
fn run(tool: PathBuf, port: u16, args: &[&str]) -> Result<String, String> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "exec \"$0\" -h 127.0.0.1 -U postgres \"$@\" 2>&1"]).arg(tool);
    command.args(["-p", &port.to_string()]).args(args).env("PGOPTIONS", "").env("TZ", "UTC");
    let output = command.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(text) } else { Err(text) }
}
