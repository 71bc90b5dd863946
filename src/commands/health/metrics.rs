//! The metrics that a service exposes, as it exposes them.

use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;
use serde::Serialize;
use serde_json::{Value, json};

use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::metric::exposition::Sample;
use liveops_domain::metric::labels;
use liveops_domain::metric::quantity::Unit;
use liveops_domain::status::source::{Outcome, Source, SourceState, Verdict};
use liveops_domain::text::count::count;
use liveops_engine::clients::http::request::Effort;
use liveops_engine::clients::service::scrape;
use liveops_engine::config::service::Service;

/// Options of `health metrics`.
#[derive(Debug, Args)]
pub(crate) struct MetricsArgs {
    /// Only metrics whose name contains this
    #[arg(long = "match", value_name = "TEXT")]
    pattern: Option<String>,

    /// Also histogram buckets
    #[arg(long)]
    buckets: bool,
}

#[derive(Debug, Serialize)]
struct MetricsReport {
    services: Vec<Exposed>,
    #[serde(skip)]
    sources: Vec<Source>,
    #[serde(skip)]
    hidden_buckets: usize,
}

#[derive(Debug, Serialize)]
struct Exposed {
    service: String,
    #[serde(serialize_with = "samples")]
    metrics: Vec<Sample>,
    /// Series that stood there twice; the first counts.
    duplicates: usize,
}

fn samples<S: serde::Serializer>(samples: &[Sample], to: S) -> Result<S::Ok, S::Error> {
    let values: Vec<Value> = samples
        .iter()
        .map(|sample| json!({ "name": sample.name, "labels": sample.labels, "value": liveops_domain::text::cell::number(sample.value) }))
        .collect();
    values.serialize(to)
}

pub(super) async fn run(args: &MetricsArgs, services: &[&Service], cx: &Context) -> Result<Exit> {
    let endpoints = services.iter().flat_map(|service| service.metrics.iter().map(move |endpoint| (service, endpoint)));
    let wanted = |name: &str| args.pattern.as_deref().is_none_or(|pattern| name.contains(pattern));
    let wanted = &wanted;
    let asked = join_all(endpoints.map(|(service, endpoint)| async move {
        let scraped = async {
            let target = cx.target(&service.name, endpoint)?;
            scrape(cx.http()?, &target, "", Effort::Quick, wanted).await
        };
        (service.name.clone(), scraped.await)
    }))
    .await;
    if asked.is_empty() {
        return Err(Error::Unconfigured {
            what: "metrics endpoint",
            environment: cx.environment()?.to_owned(),
            hint: "set `metrics` of the service in liveops.yaml".into(),
        });
    }
    let mut report = MetricsReport { services: Vec::new(), sources: Vec::new(), hidden_buckets: 0 };
    for (service, scraped) in asked {
        let name = format!("{service} metrics");
        match scraped {
            Ok((exposition, answer)) => {
                report.sources.push(Source::asked(name, answer.elapsed, Ok(())));
                let mut metrics = exposition.samples;
                if !args.buckets {
                    let before = metrics.len();
                    metrics.retain(|sample| !(sample.name.ends_with("_bucket") && sample.labels.contains_key("le")));
                    report.hidden_buckets += before - metrics.len();
                }
                report.services.push(Exposed { service, metrics, duplicates: exposition.duplicates });
            }
            Err(error) => report.sources.push(Source::asked(name, Duration::ZERO, Err::<(), _>(&error))),
        }
    }
    let down = report.sources.iter().filter(|source| source.state != SourceState::Ok).count();
    let duplicates = report.services.iter().filter(|exposed| exposed.duplicates > 0).map(|exposed| {
        format!("{}: {} series stand there twice; the first counts", exposed.service, exposed.duplicates)
    });
    let verdict = if down > 0 { Verdict::Unknown } else { Verdict::Pass };
    let meta = Meta {
        outcome: match down {
            0 => Outcome::Success,
            n if n == report.sources.len() => Outcome::Error,
            _ => Outcome::Partial,
        },
        verdict,
        sources: report.sources.clone(),
        warnings: duplicates.collect(),
        ..Meta::next("how they stand against their thresholds", "liveops status")
    };
    cx.show(&report, meta)?;
    Ok(verdict.into())
}

impl Report for MetricsReport {
    fn schema(&self) -> &'static str {
        "liveops.health.metrics/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks = Vec::new();
        for exposed in &self.services {
            blocks.push(Block::heading(&exposed.service));
            if exposed.metrics.is_empty() {
                blocks.push(Block::text("  no metric of that name"));
            }
            let mut table = Table::new(["", ""]).right(&[1]).indent(2).fixed(&[1]);
            for sample in &exposed.metrics {
                let labels = if sample.labels.is_empty() { String::new() } else { labels::show(&sample.labels) };
                let value = match (Unit::from_metric_name(&sample.name), sample.name.ends_with("_sum")) {
                    // A total since the start is no span that anybody waited.
                    (unit @ (Unit::Seconds | Unit::Milliseconds), true) => {
                        format!("{} {}", Unit::None.show(sample.value), unit.name())
                    }
                    (unit, _) => unit.show(sample.value),
                };
                table.row(vec![plain(format!("{}{labels}", sample.name)), span(value, Tone::Strong)]);
            }
            blocks.push(Block::Table(table));
        }
        for source in self.sources.iter().filter(|source| source.state != SourceState::Ok) {
            let error = source.error.as_deref().unwrap_or_default();
            blocks.push(Block::Line(vec![span("? ", Tone::Unknown), plain(format!("{}: {error}", source.name))]));
        }
        if self.hidden_buckets > 0 {
            let text = format!(
                "{} not shown{} --buckets shows them",
                count(self.hidden_buckets, "histogram bucket"),
                view.pick(" ·", ",")
            );
            blocks.push(Block::Line(vec![span(text, Tone::Dim)]));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["series", "value", "service"]);
        for exposed in &self.services {
            for sample in &exposed.metrics {
                let series = if sample.labels.is_empty() {
                    sample.name.clone()
                } else {
                    format!("{}{}", sample.name, labels::show(&sample.labels))
                };
                let value = liveops_domain::metric::number::special(sample.value)
                    .map_or_else(|| sample.value.to_string(), ToOwned::to_owned);
                table.row(vec![plain(series), plain(value), plain(&exposed.service)]);
            }
        }
        Some(table)
    }
}
