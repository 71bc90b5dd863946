//! `liveops scale status`: sizes, and the key figures against the usual triggers.

use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::status::scale::TRIGGERS;
use liveops_domain::status::source::Verdict;
use liveops_engine::observe::kpis;
use liveops_engine::scale::fleet::{Fleet, Size};

/// Say whether it is time to scale out
///
/// Looks at the sizes of the services, and at CPU, memory, queue depth and response time against the usual triggers:
/// 70 %, 80 %, 1000 messages, 200 ms. Exit code 1 when one is passed, 3 when nothing is known.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops scale status
  liveops scale status -o json | jq '.data.triggers[] | select(.state == \"hit\")'")]
pub(crate) struct StatusArgs {}

#[derive(Debug, Serialize)]
struct ScaleStatus {
    services: Vec<ServiceSize>,
    triggers: Vec<TriggerState>,
}

#[derive(Debug, Serialize)]
struct ServiceSize {
    name: String,
    deployment: Option<String>,
    replicas: Option<u64>,
    available: Option<u32>,
    min: Option<u64>,
    max: Option<u64>,
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct TriggerState {
    name: &'static str,
    limit: f64,
    unit: &'static str,
    /// The key figure that stands for it.
    figure: Option<String>,
    value: Option<f64>,
    /// `ok`, `hit`, `unknown`.
    state: &'static str,
    note: Option<String>,
}

pub(super) async fn run(_args: &StatusArgs, cx: &Context) -> Result<Exit> {
    let (kpis, services) = tokio::join!(kpis::ask(cx, &[]), sizes(cx));
    let kpis = kpis?;
    let triggers: Vec<TriggerState> = TRIGGERS
        .iter()
        .map(|trigger| {
            let named = |name: &&str| kpis.readings.iter().find(|reading| reading.kpi.name == *name);
            let found = trigger.figures.iter().find_map(named);
            let known = found.filter(|reading| reading.is_sure());
            let value = known.and_then(|reading| {
                let value = trigger.convert(reading.value?.value, &reading.kpi.unit)?;
                // What lies above a bound that is no hit may be one.
                (!reading.value?.is_lower_bound || trigger.is_hit(value)).then_some(value)
            });
            TriggerState {
                name: trigger.name,
                limit: trigger.limit,
                unit: trigger.unit,
                figure: found.map(|reading| reading.kpi.name.clone()),
                value,
                state: match value {
                    Some(value) if trigger.is_hit(value) => "hit",
                    Some(_) => "ok",
                    None => "unknown",
                },
                note: match found {
                    None => Some(format!("no key figure is called {}", trigger.figures.join(", "))),
                    Some(reading) => reading.note.clone(),
                },
            }
        })
        .collect();
    let report = ScaleStatus { services: services?, triggers };
    let meta = Meta {
        verdict: report.verdict(),
        recommendations: Vec::new(),
        sources: kpis.sources(),
        warnings: kpis.warnings,
        ..Meta::next("", report.next())
    };
    cx.show_anywhere(&report, meta)?;
    Ok(report.verdict().into())
}

/// The sizes, where a cluster is configured; one that cannot be read does not hide the triggers.
async fn sizes(cx: &Context) -> Result<Vec<ServiceSize>> {
    if cx.config()?.settings.kubernetes.is_none() {
        return Ok(Vec::new());
    }
    let fleet = Fleet::of(cx)?;
    let asked = cx.config()?.settings.services.iter().map(|service| async {
        let size = fleet.size(service).await;
        let error = size.as_ref().err().map(ToString::to_string);
        let size: Option<Size> = size.ok();
        let bounds = size.as_ref().and_then(|size| size.autoscaler.as_ref());
        ServiceSize {
            name: service.name.clone(),
            deployment: size.as_ref().map(|size| size.deployment.clone()),
            replicas: size.as_ref().map(|size| size.replicas),
            available: size.as_ref().map(|size| size.available),
            min: bounds.map(|bounds| bounds.min),
            max: bounds.map(|bounds| bounds.max),
            error,
        }
    });
    Ok(futures_util::future::join_all(asked).await)
}

impl ScaleStatus {
    fn verdict(&self) -> Verdict {
        let any = |state: &str| self.triggers.iter().any(|trigger| trigger.state == state);
        if any("hit") {
            Verdict::Fail
        } else if any("ok") {
            Verdict::Pass
        } else {
            Verdict::Unknown
        }
    }

    fn next(&self) -> String {
        let service = self.services.first();
        match (self.verdict(), service) {
            (Verdict::Fail, Some(ServiceSize { name, min: Some(_), max: Some(max), .. })) => {
                format!("liveops scale {name} --max {}", max + max.div_ceil(2))
            }
            (Verdict::Fail, Some(ServiceSize { name, replicas: Some(replicas), .. })) => {
                format!("liveops scale {name} --replicas {}", replicas + replicas.div_ceil(2).max(1))
            }
            _ => "liveops status".to_owned(),
        }
    }
}

impl Report for ScaleStatus {
    fn schema(&self) -> &'static str {
        "liveops.scale.status/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut table = Table::new(["", "trigger", "now", "limit", ""]).right(&[2, 3]);
        for (trigger, state) in TRIGGERS.iter().zip(&self.triggers) {
            let (mark, tone) = match state.state {
                "hit" => (view.pick("▲", "!"), Tone::Bad),
                "ok" => (view.pick("●", "+"), Tone::Good),
                _ => (view.pick("?", "?"), Tone::Unknown),
            };
            let now = state.value.map_or_else(|| "?".to_owned(), |value| trigger.show(value));
            table.row(vec![
                span(mark, tone),
                plain(trigger.name),
                span(now, tone),
                plain(format!("> {}", trigger.show(trigger.limit))),
                span(state.note.clone().unwrap_or_default(), Tone::Dim),
            ]);
        }
        let mut blocks = vec![Block::Table(table)];
        if !self.services.is_empty() {
            let mut table = Table::new(["service", "replicas", "available", "autoscaler", ""]).right(&[1, 2]);
            let number = |value: Option<u64>| value.map_or_else(|| "?".to_owned(), |value| value.to_string());
            for service in &self.services {
                let bounds = match (service.min, service.max) {
                    (Some(min), Some(max)) => format!("{min} to {max}"),
                    _ => "none".to_owned(),
                };
                table.row(vec![
                    plain(service.name.clone()),
                    plain(number(service.replicas)),
                    plain(number(service.available.map(u64::from))),
                    plain(bounds),
                    span(service.error.clone().unwrap_or_default(), Tone::Bad),
                ]);
            }
            blocks.push(Block::Blank);
            blocks.push(Block::Table(table));
        }
        blocks
    }
}
