//! Prometheus: itself, what it scrapes, what it evaluates, whom it tells, and whether it has what the KPIs need.

use tokio::join;

use crate::clients::http::request::Effort;
use crate::clients::prometheus::{Listed, Prometheus};
use crate::doctor::finding::{Finding, System, no_answer};
use crate::doctor::{alerts, answer, kpis, rules, targets};
use crate::observe::alerts::backends;
use crate::session::Session;
use liveops_domain::error::{Error, Result};

/// Checks it, when it is configured.
pub async fn check(cx: &Session) -> Option<System> {
    let config = cx.config().ok()?;
    let endpoint = config.settings.prometheus.as_ref()?;
    let mut system = System::new("prometheus", Some(endpoint.url.show()));
    if let Err(error) = look(cx, &mut system).await {
        system.add(no_answer(&error));
    }
    Some(system)
}

async fn look(cx: &Session, system: &mut System) -> Result<()> {
    let http = cx.http()?;
    let target = cx.prometheus()?;
    system.url = Some(target.url());
    let client = Prometheus::new(http, target, Effort::Quick);
    match client.version().await {
        Ok((version, first)) => answer::judge(system, Some(version), &first, cx.clock.now()),
        // Front ends of other makes answer queries without telling a version.
        Err(Error::Rejected { status: 404, .. }) => {
            client.instant("vector(1)", None).await?;
            system.add(Finding::ok("reachable", "answers, and accepts the credentials"));
        }
        Err(error) => return Err(error),
    }
    let settings = &cx.config()?.settings;
    let (configured, now) = (settings.alertmanager.is_some(), cx.clock.now());
    let (scraped, evaluated, told, firing, measured, lost) = join!(
        client.targets(),
        client.rules(&cx.clock),
        client.alertmanagers(),
        async {
            match configured {
                true => None,
                false => Some(backends(cx, Effort::Quick)?.ask(now).await),
            }
            .transpose()
        },
        kpis::asked(cx, &client),
        lost(&client),
    );
    system.extend(or_unknown("targets", scraped.map(|all| targets::judge(&all))));
    let evaluated = evaluated.and_then(Listed::whole);
    if let (Ok(rules), Ok(told)) = (&evaluated, &told) {
        system.extend(rules::delivery(rules, told, configured));
    }
    system.extend(or_unknown("rules", evaluated.map(|all| rules::judge(&all, now))));
    system.extend(lost);
    system
        .extend(or_unknown("fatigue", firing.map(|all| all.iter().flat_map(|all| alerts::known(all, now)).collect())));
    system.extend(measured?);
    Ok(())
}

/// The findings; one that says why there are none; or nothing where this kind of server has no such thing.
fn or_unknown(check: &'static str, found: Result<Vec<Finding>>) -> Vec<Finding> {
    match found {
        Ok(findings) => findings,
        Err(Error::Rejected { status: 404 | 405 | 501, .. }) => Vec::new(),
        Err(error) => vec![Finding::unknown(check, &error)],
    }
}

/// Notifications that did not arrive, when Prometheus scrapes itself.
async fn lost(client: &Prometheus<'_>) -> Option<Finding> {
    const QUERY: &str = "sum(increase(prometheus_notifications_errors_total[15m])) + sum(increase(prometheus_notifications_dropped_total[15m])) > 0";
    let queried = client.instant(QUERY, None).await.ok()?;
    let liveops_domain::metric::series::Answer::Vector(series) = queried.answer else {
        return None;
    };
    let value = series.first()?.points.first()?.value.float()?;
    Some(
        Finding::fail(
            "delivery",
            format!("about {value:.0} notifications did not reach Alertmanager in the last 15 minutes"),
        )
        .fix("is Alertmanager reachable from Prometheus? look at its log for `Error sending alert`"),
    )
}
