//! Alertmanager: itself, its cluster, what fires, and which silences will surprise.

use liveops_domain::text::count::count;
use serde_json::Value;
use tokio::join;

use crate::clients::alertmanager::Alertmanager;
use crate::clients::http::answer::Answer;
use crate::clients::http::request::Effort;
use crate::doctor::finding::{Finding, System, no_answer};
use crate::doctor::{alerts, answer};
use crate::observe::alerts::backends;
use crate::session::Session;
use liveops_domain::error::Result;

/// Checks it, when it is configured.
pub async fn check(cx: &Session) -> Option<System> {
    let config = cx.config().ok()?;
    let endpoint = config.settings.alertmanager.as_ref()?;
    let mut system = System::new("alertmanager", Some(endpoint.url.show()));
    if let Err(error) = look(cx, &mut system).await {
        system.add(no_answer(&error));
    }
    Some(system)
}

async fn look(cx: &Session, system: &mut System) -> Result<()> {
    let target = cx.alertmanager()?;
    system.url = Some(target.url());
    let client = Alertmanager::new(cx.http()?, target, Effort::Quick);
    let (version, first) = client.version().await?;
    answer::judge(system, Some(version), &first, cx.clock.now());
    system.extend(cluster(&first));
    let backends = backends(cx, Effort::Quick)?;
    let now = cx.clock.now();
    let (found, silences) = join!(backends.ask(now), client.silences());
    match (found, silences) {
        (Ok(found), Ok(silences)) => {
            system.extend(alerts::known(&found, now));
            system.extend(found.source_gaps.iter().map(|gap| Finding::gap("alerts", gap.clone())));
            system.extend(alerts::silences(&silences, &found.alerts, now));
        }
        (Err(error), _) => system.add(Finding::unknown("fatigue", &error)),
        (_, Err(error)) => system.add(Finding::unknown("silences", &error)),
    }
    Ok(())
}

/// A cluster that is not settled may page twice, and forget silences.
fn cluster(answer: &Answer) -> Option<Finding> {
    let status: Value = answer.json().ok()?;
    let cluster = status.get("cluster")?;
    let peers = cluster.get("peers").and_then(Value::as_array).map_or(0, Vec::len);
    Some(match cluster.get("status")?.as_str()? {
        "ready" => Finding::ok("cluster", format!("ready, {}", count(peers, "peer"))),
        "disabled" => Finding::ok("cluster", "a single one"),
        other => Finding::warn("cluster", format!("its cluster is `{other}`, with {}", count(peers, "peer")))
            .fix("normal for a minute after a start; if it lasts, its peers cannot reach each other (port 9094, TCP and UDP)"),
    })
}
