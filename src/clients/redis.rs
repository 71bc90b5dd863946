//! Redis: so far only what `doctor` asks.

use std::time::Duration;

use redis::{Client, ErrorKind, RedisError};
use tokio::time::timeout;

use crate::domain::redact::redact_url;
use crate::error::{Barrier, Error, Result};

/// The server's version: proves that it is reachable and accepts us.
///
/// # Errors
/// `Unreachable`, `Timeout`, `Rejected` (401 for wrong credentials).
pub(crate) async fn version(url: &str, limit: Duration) -> Result<String> {
    let shown = redact_url(url);
    let fail = |error: RedisError| failure(&shown, &error);
    let ask = async {
        let mut connection = Client::open(url)?
            .get_multiplexed_async_connection()
            .await?;
        redis::cmd("INFO")
            .arg("server")
            .query_async::<String>(&mut connection)
            .await
    };
    let late = || Error::Timeout {
        system: "redis".into(),
        url: shown.clone(),
        after: limit,
    };
    let info = timeout(limit, ask)
        .await
        .map_err(|_| late())?
        .map_err(fail)?;
    let version = info
        .lines()
        .find_map(|line| line.strip_prefix("redis_version:"));
    Ok(version.unwrap_or("unknown").trim().to_owned())
}

fn failure(url: &str, error: &RedisError) -> Error {
    let system = "redis".to_owned();
    let url = url.to_owned();
    let said = error
        .detail()
        .map_or_else(|| error.to_string(), ToOwned::to_owned);
    match error.kind() {
        ErrorKind::AuthenticationFailed => Error::Rejected {
            system,
            url,
            status: 401,
            message: said,
        },
        _ if error.is_io_error() => Error::Unreachable {
            system,
            url,
            barrier: Barrier::Way,
            reason: said,
        },
        _ if error
            .code()
            .is_some_and(|code| code == "NOAUTH" || code == "NOPERM" || code == "WRONGPASS") =>
        {
            Error::Rejected {
                system,
                url,
                status: 401,
                message: said,
            }
        }
        _ => Error::Malformed {
            system,
            url,
            what: said,
        },
    }
}
