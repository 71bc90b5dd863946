//! Where the flags are kept: Redis or a file.

use std::time::{Duration, Instant};

use crate::commands::doctor::finding::{Finding, System, count, no_answer};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::stores::flags::{FileFlags, FlagStore, Flags, RedisFlags};

/// From here on each look at a flag is felt.
const SLOW: Duration = Duration::from_millis(250);

/// Checks where the flags are, when that is configured.
pub(crate) async fn check(cx: &Context) -> Option<System> {
    let endpoint = cx.config().ok()?.settings.flags.endpoint.as_ref()?;
    let mut system = System::new("flags", Some(endpoint.url.show()));
    if let Err(error) = look(cx, &mut system).await {
        system.add(problem(&error));
    }
    Some(system)
}

async fn look(cx: &Context, system: &mut System) -> Result<()> {
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
    let version = info.iter().find(|(key, _)| key == "redis_version");
    system.version = version.map(|(_, version)| version.clone());
    system.latency_ms = u64::try_from(elapsed.as_millis()).ok();
    system.add(Finding::ok(
        "reachable",
        "answers, and accepts the credentials",
    ));
    if elapsed > SLOW {
        system.add(
            Finding::warn(
                "latency",
                format!("took {} ms to connect and answer", elapsed.as_millis()),
            )
            .fix("is it overloaded, or far away? `redis-cli --latency` says more"),
        );
    }
    Ok(())
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
        Error::Unreachable { url, .. } => Finding::fail(
            "reachable",
            format!("cannot be reached: {}", error.reason()),
        )
        .fix(format!(
            "is Redis running, and are port-forward and VPN up? `redis-cli -u {url} ping` says more"
        )),
        Error::Declined { why, hint, .. } => Finding::fail("credentials", why.clone())
            .fix(hint.clone())
            .command("liveops config show --origin"),
        error => no_answer(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Level;

    #[tokio::test]
    async fn a_flag_file_must_be_there_and_an_object() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("flags.json");
        let store = FileFlags::at(&path);
        assert_eq!(file(&store).await.level, Level::Fail);
        for (text, level) in [
            ("{\"a\": {}}", Level::Ok),
            ("[]", Level::Fail),
            ("{", Level::Fail),
        ] {
            std::fs::write(&path, text).expect("write");
            assert_eq!(file(&store).await.level, level, "{text}");
        }
    }
}
