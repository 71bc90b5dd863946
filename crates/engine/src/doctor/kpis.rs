//! KPIs: does each have data, quickly enough, and if not, which metric was probably meant?

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::stream;
use futures_util::stream::StreamExt;

use crate::clients::prometheus::Prometheus;
use crate::doctor::finding::{Finding, System, count, said};
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::exposition::Sample;
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::series::Answer;
use liveops_domain::metric::series_exist;

/// A dashboard with a slower query is not looked at (domain: slow dashboards).
const SLOW: Duration = Duration::from_secs(5);

/// Queries at a time.
const AT_ONCE: usize = 8;

/// How one query went.
struct Asked<'k> {
    kpi: &'k Kpi,
    answer: Result<bool>,
    took: Duration,
}

/// Asks Prometheus for each KPI.
pub async fn asked(client: &Prometheus<'_>, kpis: &[Kpi], limit: Duration) -> Vec<Finding> {
    let asked = stream::iter(kpis).map(async |kpi| {
        let began = Instant::now();
        let answer = client.instant(&kpi.promql(), None).await;
        Asked { kpi, answer: answer.map(|queried| has_value(&queried.answer)), took: began.elapsed() }
    });
    let mut all: Vec<Asked<'_>> = asked.buffer_unordered(AT_ONCE).collect().await;
    all.sort_by(|a, b| a.kpi.name.cmp(&b.kpi.name));
    let names = if all.iter().any(|asked| matches!(asked.answer, Ok(false))) {
        client.metric_names().await.unwrap_or_default()
    } else {
        BTreeSet::new()
    };
    let mut findings: Vec<Finding> = all.iter().filter_map(|asked| judge(asked, &names, limit)).collect();
    if findings.is_empty() && !kpis.is_empty() {
        findings.push(Finding::ok("kpis", format!("{} with data", count(kpis.len(), "KPI"))));
    }
    findings
}

fn has_value(answer: &Answer) -> bool {
    match answer {
        Answer::Vector(series) | Answer::Matrix(series) => !series.is_empty(),
        Answer::Scalar(_) | Answer::String { .. } => true,
    }
}

fn judge(asked: &Asked<'_>, names: &BTreeSet<String>, limit: Duration) -> Option<Finding> {
    let name = &asked.kpi.name;
    let narrow = "record it by a rule, or shorten its window and narrow its selectors";
    let command = format!("liveops query --kpi {name}");
    match &asked.answer {
        Ok(true) if asked.took > SLOW => Some(
            Finding::warn("kpis", format!("KPI `{name}` took {:.1} s", asked.took.as_secs_f64()))
                .fix(narrow)
                .command(command),
        ),
        Ok(true) => None,
        Ok(false) => Some(missing(asked.kpi, names)),
        Err(Error::Timeout { .. }) => Some(
            Finding::fail("kpis", format!("KPI `{name}` has no answer within {:.0} s", limit.as_secs_f64()))
                .fix(narrow)
                .command(command),
        ),
        // Prometheus refuses the expression itself.
        Err(error @ Error::Rejected { status: 400 | 422, .. }) => Some(
            Finding::fail("kpis", format!("KPI `{name}`: {}", said(error)))
                .fix("correct its definition in the configuration")
                .command(format!("liveops query --kpi {name} --explain")),
        ),
        Err(error) => Some(Finding::unknown("kpis", error)),
    }
}

fn missing(kpi: &Kpi, names: &BTreeSet<String>) -> Finding {
    Finding::warn("kpis", format!("KPI `{}` has no data: {}", kpi.name, series_exist::reason(kpi, names)))
        .fix("correct its metric in the configuration, or remove it; until then it is unknown")
        .command(format!("liveops query --kpi {} --explain", kpi.name))
}

/// Looks for each KPI in what the services expose, where there is no Prometheus to ask.
///
/// # Errors
/// As [`Context::config`].
pub fn scraped(cx: &Session, samples: &[Sample]) -> Result<Option<System>> {
    let kpis = &cx.config()?.settings.kpis;
    if kpis.is_empty() || samples.is_empty() {
        return Ok(None);
    }
    let series: Vec<(&str, &Labels)> = samples.iter().map(|sample| (sample.name.as_str(), &sample.labels)).collect();
    let names: BTreeSet<String> = series.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut system = System::new("kpis", None);
    for kpi in kpis {
        match series_exist::is_among(kpi, &series) {
            Some(true) => {}
            Some(false) => system.add(missing(kpi, &names)),
            None => system.add(
                Finding::warn(
                    "kpis",
                    format!("KPI `{}` is PromQL, and there is no Prometheus to compute it", kpi.name),
                )
                .fix("set `prometheus.url`, or write it as a gauge, rate, ratio or quantile")
                .command("liveops config show --origin"),
            ),
        }
    }
    if system.findings.is_empty() {
        system.add(Finding::ok("kpis", format!("{} in the services' metrics", count(kpis.len(), "KPI"))));
    }
    Ok(Some(system))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;
    use liveops_domain::metric::kpi::KpiKind;
    use liveops_domain::metric::quantity::Unit;

    #[test]
    fn each_end_of_a_query_has_its_finding() {
        let kpi = Kpi {
            name: "k".into(),
            title: None,
            kind: KpiKind::PromQl("up".into()),
            by: None,
            unit: Unit::None,
            warn: None,
            critical: None,
            service: None,
        };
        let rejected = |status| Error::Rejected {
            system: "prometheus".into(),
            url: "http://p".into(),
            status,
            message: "many-to-many".into(),
        };
        let late = Error::Timeout { system: "prometheus".into(), url: "http://p".into(), after: SLOW };
        for (answer, seconds, want) in [
            (Ok(true), 1, None),
            (Ok(true), 6, Some(Level::Warn)),
            (Ok(false), 1, Some(Level::Warn)),
            (Err(late), 5, Some(Level::Fail)),
            (Err(rejected(422)), 1, Some(Level::Fail)),
            (Err(rejected(503)), 1, Some(Level::Unknown)),
        ] {
            let asked = Asked { kpi: &kpi, answer, took: Duration::from_secs(seconds) };
            let found = judge(&asked, &BTreeSet::new(), SLOW);
            assert_eq!(found.as_ref().map(|found| found.level), want, "{found:?}");
        }
    }
}
