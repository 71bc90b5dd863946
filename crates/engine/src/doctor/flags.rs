//! Where the flags are kept: Redis or a file.

use liveops_domain::text::count::count;
use std::time::{Duration, Instant};

use crate::doctor::finding::{Finding, System, first, no_answer};
use crate::flagstore::file::FileFlags;
use crate::flagstore::redis::RedisFlags;
use crate::flagstore::{FlagStore, Flags};
use crate::session::Session;
use liveops_domain::error::{Error, Result};

/// From here on each look at a flag is felt.
const SLOW: Duration = Duration::from_millis(250);

/// Checks where the flags are, when that is configured.
pub async fn check(cx: &Session) -> Option<System> {
    let endpoint = cx.config().ok()?.settings.flags.endpoint.as_ref()?;
    let mut system = System::new("flags", Some(endpoint.url.show()));
    if let Err(error) = look(cx, &mut system).await {
        system.add(problem(&error));
    }
    Some(system)
}

async fn look(cx: &Session, system: &mut System) -> Result<()> {
    let flags = cx.flags()?;
    system.url = Some(flags.shown());
    match &flags {
        Flags::Redis(store) => redis(store, system).await,
        Flags::File(store) => {
            system.add(file(store).await);
            Ok(())
        }
    }
}

async fn redis(store: &RedisFlags, system: &mut System) -> Result<()> {
    let began = Instant::now();
    let info = store.info("server").await?;
    let elapsed = began.elapsed();
    let said = |info: &[(String, String)], name: &str| {
        let found = info.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    system.version = Some(said(&info, "redis_version"));
    system.latency_ms = u64::try_from(elapsed.as_millis()).ok();
    system.add(Finding::ok("reachable", "answers, and accepts the credentials"));
    if elapsed > SLOW {
        system.add(
            Finding::warn("latency", format!("took {} ms to connect and answer", elapsed.as_millis()))
                .fix("is it overloaded, or far away? `redis-cli --latency` says more"),
        );
    }
    system.add(encryption(store));
    if let Some(wrong) = store.types().await {
        system.add(
            Finding::fail("key", wrong)
                .fix("set `flags.key` to the hash that the services read")
                .command("liveops config show --origin"),
        );
        return Ok(());
    }
    let replication = store.info("replication").await?;
    if said(&replication, "role") == "slave" {
        let primary = format!("{}:{}", said(&replication, "master_host"), said(&replication, "master_port"));
        system.add(
            Finding::fail("role", format!("is a read-only replica of {primary}: flags can be read, not changed"))
                .fix(format!("set `flags.url` to {primary}, or to `redis+sentinel://…`, which finds the primary")),
        );
    } else {
        system.add(Finding::ok("role", "takes writes"));
    }
    let memory = store.info("memory").await?;
    let policy = said(&memory, "maxmemory_policy");
    if said(&memory, "maxmemory") != "0" && policy.starts_with("allkeys") {
        system.add(
            Finding::warn(
                "eviction",
                format!("evicts any key when memory runs out (`{policy}`): the flags too, and then all are off"),
            )
            .fix("give the flags a Redis of their own, or `maxmemory-policy volatile-lru`"),
        );
    }
    system.extend(expiry(store).await?);
    system.add(permissions(store).await);
    Ok(())
}

fn encryption(store: &RedisFlags) -> Finding {
    let shown = store.shown();
    let is_near = ["127.0.0.1:", "localhost:", "[::1]:"].iter().any(|host| shown.contains(host));
    if store.has_tls() {
        Finding::ok("encryption", "TLS")
    } else if is_near {
        Finding::ok("encryption", "none, on this machine")
    } else {
        Finding::warn("encryption", "none: password and flags can be read and changed on the way")
            .fix("use `rediss:` in `flags.url`, with `ca: FILE` for an authority of your own; or a VPN")
    }
}

/// What will be off for everybody, by itself.
async fn expiry(store: &RedisFlags) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    if let Some(left) = store.expires().await {
        findings.push(
            Finding::fail("expiry", format!("all flags expire in {left} s, and are then off for everybody"))
                .fix("take the expiry away: `redis-cli PERSIST KEY`"),
        );
    }
    let names = store.expiring().await?;
    if !names.is_empty() {
        findings.push(
            Finding::warn(
                "expiry",
                format!(
                    "{} expire by themselves, and are then off for everybody: {}",
                    count(names.len(), "flag"),
                    first(&names, 3)
                ),
            )
            .fix("take the expiry away: `redis-cli HPERSIST KEY FIELDS 1 NAME`"),
        );
    }
    Ok(findings)
}

async fn permissions(store: &RedisFlags) -> Finding {
    let Some(denied) = store.denied().await else {
        return Finding::ok("permissions", "not asked: needs Redis 7 and the right to `ACL DRYRUN`");
    };
    let names: Vec<&str> = denied.iter().map(|denied| denied.what.as_str()).collect();
    let fix = format!("the ACL rule that allows all of it: `{}`", store.rule());
    if denied.is_empty() {
        Finding::ok("permissions", "allow everything that liveops does")
    } else if denied.iter().all(|denied| denied.is_minor) {
        let message = format!("some comfort is not allowed: {}", first(&names, 4));
        Finding::warn("permissions", message).fix(fix)
    } else {
        let message = format!("not allowed: {}", first(&names, 4));
        Finding::fail("permissions", message).fix(fix)
    }
}

async fn file(store: &FileFlags) -> Finding {
    if !store.path().exists() {
        return Finding::fail("file", format!("{} does not exist", store.path().display()))
            .fix("correct `flags.url`; relative paths start at the configuration file. The first `liveops flag set` creates it");
    }
    match store.all().await {
        Ok(flags) => Finding::ok("file", count(flags.len(), "flag")),
        Err(error) => {
            let finding = Finding::fail("file", error.to_string());
            match error.hint() {
                Some(hint) => finding.fix(hint),
                None => finding,
            }
        }
    }
}

/// Redis says in its own words what HTTP says by a status.
fn problem(error: &Error) -> Finding {
    match error {
        Error::Unreachable { url, .. } => Finding::fail("reachable", format!("cannot be reached: {}", error.reason()))
            .fix(format!("is Redis running, and are port-forward and VPN up? `redis-cli -u {url} ping` says more")),
        Error::Declined { code, why, hint, .. } => {
            let is_login = ["NOAUTH", "WRONGPASS", "NOPERM"].contains(&code.as_str());
            let check = if is_login { "credentials" } else { "answer" };
            Finding::fail(check, why.clone()).fix(hint.clone()).command("liveops config show --origin")
        }
        error => no_answer(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    #[tokio::test]
    async fn a_flag_file_must_be_there_and_an_object() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("flags.json");
        let store = FileFlags::at(&path);
        assert_eq!(file(&store).await.level, Level::Fail);
        for (text, level) in [("{\"a\": {}}", Level::Ok), ("[]", Level::Fail), ("{", Level::Fail)] {
            std::fs::write(&path, text).expect("write");
            assert_eq!(file(&store).await.level, level, "{text}");
        }
    }
}
