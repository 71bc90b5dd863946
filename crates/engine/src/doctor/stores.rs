//! Where events are kept: ClickHouse.

use crate::clients::clickhouse as client;
use crate::doctor::answer;
use crate::doctor::finding::{System, no_answer};
use crate::session::Session;

/// Checks ClickHouse, when it is configured.
pub async fn clickhouse(cx: &Session) -> Option<System> {
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
        Ok((_, first)) => {
            system.add(no_answer(&first.malformed(format!("`{}` instead of a version", first.excerpt()))));
        }
        Err(error) => system.add(no_answer(&error)),
    }
    Some(system)
}
