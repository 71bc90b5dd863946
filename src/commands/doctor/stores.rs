//! Where flags and events are kept: Redis, a flag file, ClickHouse.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::clients::{clickhouse as client, redis};
use crate::commands::doctor::answer;
use crate::commands::doctor::finding::{Finding, System, no_answer};
use crate::config::schema::Endpoint;
use crate::context::Context;
use crate::domain::redact::redact_url;
use crate::error::{Error, Result};

/// From here on each look at a flag is felt.
const SLOW: Duration = Duration::from_millis(250);

/// Checks where the flags are, when that is configured.
pub(crate) async fn flags(cx: &Context) -> Option<System> {
    let endpoint = cx.config().ok()?.settings.flags.as_ref()?;
    let mut system = System::new("flags", Some(endpoint.url.show()));
    match look(cx, endpoint, &mut system).await {
        Ok(()) => {}
        // Redis says both in the same breath; the fix is another than for HTTP.
        Err(Error::Rejected { status: 401, message, .. }) => system.add(
            Finding::fail("credentials", format!("does not accept us: {message}"))
                .fix("set user and password by reference: `redis://USER:${REDIS_PASSWORD}@HOST:6379/0`")
                .command("liveops config show --origin"),
        ),
        Err(Error::Unreachable { reason, url, .. }) => {
            let reason = if reason.to_lowercase().contains("refused") {
                "connection refused; nothing listens there".into()
            } else {
                reason
            };
            system.add(
                Finding::fail("reachable", format!("cannot be reached: {reason}")).fix(format!(
                    "is Redis running, and are port-forward and VPN up? `redis-cli -u {url} ping` says more"
                )),
            );
        }
        Err(error) => system.add(no_answer(&error)),
    }
    Some(system)
}

async fn look(cx: &Context, endpoint: &Endpoint, system: &mut System) -> Result<()> {
    let config = cx.config()?;
    let (url, _) = config.reveal("flags", endpoint)?;
    let url = url.expose();
    system.url = Some(redact_url(url));
    if let Some(path) = url.strip_prefix("file:") {
        let path = config
            .base(&endpoint.url.origin)
            .join(path.trim_start_matches("//"));
        system.add(file(&path));
        return Ok(());
    }
    let began = Instant::now();
    let version = redis::version(url, cx.http()?.call_timeout()).await?;
    let elapsed = began.elapsed();
    system.version = Some(version);
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

fn file(path: &Path) -> Finding {
    let wrong = match std::fs::read(path) {
        Err(error) => format!("{} cannot be read: {error}", path.display()),
        Ok(bytes) => {
            match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes) {
                Ok(flags) => return Finding::ok("file", format!("{} flags", flags.len())),
                Err(error) => format!("{} is not a JSON object of flags: {error}", path.display()),
            }
        }
    };
    Finding::fail("file", wrong)
        .fix("correct `flags.url`, or the file; relative paths start at the configuration file")
}

/// Checks ClickHouse, when it is configured.
pub(crate) async fn clickhouse(cx: &Context) -> Option<System> {
    let endpoint = cx.config().ok()?.settings.clickhouse.as_ref()?;
    let mut system = System::new("clickhouse", Some(endpoint.url.show()));
    let asked = async {
        let target = cx.target("clickhouse", endpoint)?;
        client::version(cx.http()?, &target).await
    };
    match asked.await {
        Ok((version, first)) if version.starts_with(|c: char| c.is_ascii_digit()) => {
            answer::judge(&mut system, Some(version), &first, cx.clock.now());
        }
        Ok((_, first)) => system.add(no_answer(
            &first.malformed(format!("`{}` instead of a version", first.excerpt())),
        )),
        Err(error) => system.add(no_answer(&error)),
    }
    Some(system)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Level;

    #[test]
    fn a_flag_file_must_be_there_and_an_object() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("flags.json");
        assert_eq!(file(&path).level, Level::Fail);
        for (text, level) in [
            ("{\"a\": {}}", Level::Ok),
            ("[]", Level::Fail),
            ("{", Level::Fail),
        ] {
            std::fs::write(&path, text).expect("write");
            assert_eq!(file(&path).level, level, "{text}");
        }
    }
}
