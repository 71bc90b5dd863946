//! KPIs: does each have data, quickly enough, and if not, which metric was probably meant?

use liveops_domain::text::count::count;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::stream;
use futures_util::stream::StreamExt;

use crate::clients::prometheus::Prometheus;
use crate::doctor::finding::{Finding, System, said};
use crate::observe::prometheus;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::exposition::Sample;
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::metric::labels::Labels;
use liveops_domain::metric::level::Level;
use liveops_domain::metric::series::Answer;
use liveops_domain::metric::series_exist;

/// A dashboard with a slower query is not looked at (domain: slow dashboards).
const SLOW: Duration = Duration::from_secs(5);

/// Queries at a time.
const AT_ONCE: usize = 8;

/// How one query went.
struct KpiCheck<'k> {
    kpi: &'k Kpi,
    answer: Result<bool>,
    /// Why `status` has no level for it, though there are series.
    doubt: Option<String>,
    took: Duration,
}

/// Asks Prometheus for each KPI, as `status` does. Presets without data are no fault.
///
/// # Errors
/// Those of the configuration.
pub async fn asked(cx: &Session, client: &Prometheus<'_>) -> Result<Vec<Finding>> {
    let (kpis, limit, now) = (cx.kpis()?, cx.http()?.call_timeout(), cx.clock.now());
    let asked = stream::iter(kpis.iter()).map(async |kpi| {
        let began = Instant::now();
        let asked = prometheus::value(client, kpi, None, now).await;
        let reading = asked.reading;
        let is_in_doubt = reading.level == Level::Unknown && !reading.is_undefined();
        let answer = asked.total.map(|queried| has_value(&queried.answer));
        KpiCheck { kpi, answer, doubt: reading.note.filter(|_| is_in_doubt), took: began.elapsed() }
    });
    let mut all: Vec<KpiCheck<'_>> = asked.buffer_unordered(AT_ONCE).collect().await;
    if cx.are_kpis_presets()? {
        all.retain(|asked| matches!(asked.answer, Ok(true)));
    }
    all.sort_by(|a, b| a.kpi.name.cmp(&b.kpi.name));
    let names = if all.iter().any(|asked| matches!(asked.answer, Ok(false))) {
        client.metric_names(&[]).await.unwrap_or_default()
    } else {
        BTreeSet::new()
    };
    let mut findings: Vec<Finding> = all.iter().filter_map(|asked| judge(asked, &names, limit)).collect();
    if findings.is_empty() && !all.is_empty() {
        findings.push(Finding::ok("kpis", format!("{} with data", count(all.len(), "KPI"))));
    }
    Ok(findings)
}

fn has_value(answer: &Answer) -> bool {
    match answer {
        Answer::Vector(series) | Answer::Matrix(series) => !series.is_empty(),
        Answer::Scalar(_) | Answer::String { .. } => true,
    }
}

fn judge(asked: &KpiCheck<'_>, names: &BTreeSet<String>, limit: Duration) -> Option<Finding> {
    let name = &asked.kpi.name;
    let narrow = "record it by a rule, or shorten its window and narrow its selectors";
    let command = format!("liveops query --kpi {name}");
    match &asked.answer {
        Ok(true) if asked.took > SLOW => Some(
            Finding::warn("kpis", format!("KPI `{name}` took {:.1} s", asked.took.as_secs_f64()))
                .fix(narrow)
                .command(command),
        ),
        Ok(true) => asked.doubt.as_ref().map(|why| {
            Finding::warn("kpis", format!("KPI `{name}` is unknown: {why}"))
                .fix("correct its definition, or see what does not answer")
                .command(command)
        }),
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
pub fn scraped(cx: &Session, samples: &[Sample]) -> Result<Option<System>> {
    let (kpis, presets) = (cx.kpis()?, cx.are_kpis_presets()?);
    if samples.is_empty() {
        return Ok(None);
    }
    let series: Vec<(&str, &Labels)> = samples.iter().map(|sample| (sample.name.as_str(), &sample.labels)).collect();
    let names: BTreeSet<String> = series.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut system = System::new("kpis", None);
    let mut there = 0;
    for kpi in kpis.iter() {
        match series_exist::is_among(kpi, &series) {
            Some(true) => there += 1,
            _ if presets => {}
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
    if system.findings.is_empty() && there > 0 {
        system.add(Finding::ok("kpis", format!("{} in the services' metrics", count(there, "KPI"))));
    }
    Ok((!system.findings.is_empty()).then_some(system))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level as Found;
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
            (Ok(true), 6, Some(Found::Warn)),
            (Ok(false), 1, Some(Found::Warn)),
            (Err(late), 5, Some(Found::Fail)),
            (Err(rejected(422)), 1, Some(Found::Fail)),
            (Err(rejected(503)), 1, Some(Found::Unknown)),
        ] {
            let asked = KpiCheck { kpi: &kpi, answer, doubt: None, took: Duration::from_secs(seconds) };
            let found = judge(&asked, &BTreeSet::new(), SLOW);
            assert_eq!(found.as_ref().map(|found| found.level), want, "{found:?}");
        }
    }
}
