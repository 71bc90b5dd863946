//! Many writers of one flag on a real Redis. Whole processes are tested in tests/real; here it is the contention.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant as Clocked;

use tokio::task::LocalSet;

use crate::clock::Clock;
use crate::config::environment::Dirs;
use crate::config::layers::Quick;
use crate::flag::store_access::*;
use crate::session::{Choices, Person, Session};
use liveops_domain::flag::edit::ListEdit;

const THREADS: usize = 4;

const WRITERS: usize = 64;

const EDITS: usize = 50;

/// A server that ends with the test.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[allow(clippy::disallowed_methods, reason = "a test starts the server that it writes to")]
fn server(folder: &Path) -> Server {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let child = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--save", "", "--port"])
        .arg(port.to_string())
        .current_dir(folder)
        .stdout(Stdio::null())
        .spawn()
        .expect("`redis-server` of the Debian package `redis-server` runs");
    let server = Server { child, port };
    let until = Clocked::now() + Duration::from_secs(60);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Clocked::now() < until, "redis-server does not come up");
        thread::yield_now();
    }
    server
}

/// One writer's own view of the world, with a connection of its own.
fn writer(port: u16, folder: &Path, actor: &str) -> Session {
    let choices = Choices {
        // The machine may be busy with something else; what is asked here is whether all come through.
        timeout: Some(Duration::from_secs(200)),
        ..Choices::default()
    };
    let quick = Quick { redis: Some((format!("redis://127.0.0.1:{port}"), "--redis".into())), ..Quick::default() };
    let dirs = Dirs {
        work: folder.join("work"),
        config: folder.join("none"),
        state: folder.join("state"),
        cache: folder.join("cache"),
    };
    let line = "liveops flag allow busy".to_owned();
    let person = Person::silent(actor, line);
    Session::new(choices, quick, person, Clock::new(None), dirs)
}

fn busy() -> FlagName {
    "busy".parse().unwrap()
}

/// Read, apply, write: what every verb does between its question and its report.
async fn edit(access: &FlagStoreAccess<'_>, edit: Edit) -> AppliedUpdate {
    let before = access.store.get(&busy()).await.unwrap();
    let target = FlagUpdate {
        after: apply(before.as_deref(), &edit, access.reader).unwrap(),
        name: busy(),
        edit,
        before,
        strict: false,
        said: Vec::new(),
    };
    let confirmed = Confirmed::for_test();
    access.write(&target, None, &confirmed).await.unwrap()
}

/// Adds its own user and takes it away again, in turn.
async fn write(cx: Session, user: String) {
    let access = FlagStoreAccess::of(&cx).unwrap();
    for turn in 0..EDITS {
        let list = match turn % 2 {
            0 => ListEdit { add: vec![user.clone()], remove: Vec::new() },
            _ => ListEdit { add: Vec::new(), remove: vec![user.clone()] },
        };
        let effect = edit(&access, Edit::Allow(list)).await;
        assert!(effect.revision.is_some(), "{user} {turn}");
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    runtime.block_on(LocalSet::new().run_until(future))
}

#[test]
fn of_64_writers_with_50_edits_none_is_lost_and_a_kill_comes_through() {
    let folder = tempfile::tempdir().unwrap();
    let (server, folder) = (server(folder.path()), folder.path());
    let context = |actor: &str| writer(server.port, folder, actor);
    let raw = br#"{"enabled":true,"percentage":100,"allowlist":[],"defaultValue":true}"#;
    let boss = context("boss");
    run(edit(&FlagStoreAccess::of(&boss).unwrap(), Edit::Replace(raw.to_vec())));
    let took = thread::scope(|scope| {
        let port = server.port;
        let some = |thread: usize| {
            move || {
                run(async move {
                    let mut tasks = tokio::task::JoinSet::new();
                    for n in 0..WRITERS / THREADS {
                        let user = format!("u{thread}-{n}");
                        tasks.spawn_local(write(writer(port, folder, &user), user));
                    }
                    while let Some(done) = tasks.join_next().await {
                        done.unwrap();
                    }
                });
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|n| scope.spawn(some(n))).collect();
        let access = context("boss");
        let took = run(async {
            let access = FlagStoreAccess::of(&access).unwrap();
            while access.store.history(None, Some(WRITERS)).await.unwrap().len() < WRITERS {}
            let began = Clocked::now();
            edit(&access, Edit::Kill).await;
            began.elapsed()
        });
        assert!(!threads.iter().all(std::thread::ScopedJoinHandle::is_finished));
        took
    });
    assert!(took < Duration::from_secs(20), "{took:?}");
    let access = FlagStoreAccess::of(&boss).unwrap();
    let (bytes, mut history) = run(async {
        let bytes = access.store.get(&busy()).await.unwrap().unwrap();
        (bytes, access.store.history(None, None).await.unwrap())
    });
    history.reverse();
    let all = WRITERS * EDITS + 2;
    let revisions: Vec<u64> = history.iter().map(|revision| revision.rev).collect();
    assert_eq!(revisions, (1..=all as u64).collect::<Vec<_>>());
    for pair in history.windows(2) {
        assert_eq!(pair[0].after, pair[1].before);
    }
    assert_eq!(history.last().unwrap().after.as_deref(), Some(&*bytes));
    let by = |actor: &str| history.iter().filter(|one| one.by == actor).count();
    assert_eq!(by("boss"), 2);
    assert_eq!((by("u0-0"), by("u3-15")), (EDITS, EDITS));
    let flag = Flag::read(&bytes).unwrap();
    assert!(!flag.enabled(), "nobody undid the kill");
    assert!(flag.allowlist().ids().is_empty(), "every edit took place");
}
