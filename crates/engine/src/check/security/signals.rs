//! Signals of an attack, asked of Prometheus.

use futures_util::future::join_all;

use crate::observe::prometheus::numbers;
use crate::session::Session;
use liveops_domain::check::finding::Findings;
use liveops_domain::check::security::signals::Signal;
use liveops_domain::error::Result;
use liveops_domain::status::source::Source;

/// Judges each by its limit; without an answer or without data it is unknown.
pub(super) async fn judge(cx: &Session) -> (Findings, Option<Source>) {
    let mut found = Findings::default();
    let Ok(config) = cx.config() else { return (found, None) };
    let signals = &config.settings.signals;
    if signals.is_empty() {
        return (found, None);
    }
    found.checked("signals", signals.len());
    if let Err(error) = cx.prometheus() {
        signals.iter().for_each(|signal| found.failed("G01", &signal.name, &error));
        return (found, None);
    }
    let began = std::time::Instant::now();
    let answers = join_all(signals.iter().map(|signal| ask(cx, signal))).await;
    let outage = answers.iter().filter_map(|answer| answer.as_ref().err()).find(|error| error.is_outage());
    let source = Source::asked("prometheus", began.elapsed(), outage.map_or(Ok(()), Err));
    for (signal, answer) in signals.iter().zip(&answers) {
        match answer {
            Ok(Some(value)) => signal.judge(*value).into_iter().for_each(|finding| found.add(finding)),
            Ok(None) => found.unknown("G01", &signal.name, "its query has no data: no series, or none now"),
            Err(error) => found.failed("G01", &signal.name, error),
        }
    }
    (found, Some(source))
}

/// The worst value of an answer.
async fn ask(cx: &Session, signal: &Signal) -> Result<Option<f64>> {
    let values = numbers(cx, &signal.query).await?;
    Ok(values.into_iter().filter(|value| !value.is_nan()).max_by(f64::total_cmp))
}
