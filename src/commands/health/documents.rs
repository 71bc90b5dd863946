//! The JSON documents of the health API, shown member by member as the service wrote them.

use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::Value;

use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::tone;
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::metric::level::Level;
use liveops_domain::status::health::ServiceState;
use liveops_domain::status::source::{Outcome, Verdict};
use liveops_domain::status::{health, worst_level};
use liveops_domain::text::shell::word;
use liveops_engine::clients::http::request::Effort;
use liveops_engine::clients::service;
use liveops_engine::config::service::Service;

/// Services that are asked at the same time.
const AT_ONCE: usize = 256;

/// One service's answer.
#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    state: ServiceState,
    latency_ms: Option<u64>,
    detail: String,
    /// What was asked; a reference to a secret stays one.
    url: String,
    /// The document, as it came; null when there is none.
    document: Value,
}

impl Entry {
    /// Did it answer nothing, or nothing that a health API answers?
    fn needs_a_look(&self) -> bool {
        self.latency_ms.is_none() || matches!(self.state, ServiceState::Down | ServiceState::Unknown)
    }
}

#[derive(Debug, Serialize)]
struct HealthReport {
    #[serde(skip)]
    detailed: bool,
    services: Vec<Entry>,
}

impl HealthReport {
    fn meta(&self) -> Meta {
        let silent = self.services.iter().filter(|entry| entry.latency_ms.is_none()).count();
        let verdict = match worst_level::of_all(self.services.iter().map(|entry| entry.state.into())) {
            Level::Ok => Verdict::Pass,
            Level::Warn => Verdict::Warn,
            Level::Unknown => Verdict::Unknown,
            Level::Critical => Verdict::Fail,
        };
        let broken = self.services.iter().find(|entry| entry.needs_a_look() && !entry.url.is_empty());
        let next = match broken {
            Some(entry) => {
                Meta::next(format!("what {} really answers", entry.name), format!("curl -v {}", word(&entry.url)))
            }
            None if self.detailed => Meta::next("its metrics", "liveops health metrics"),
            None => Meta::next("more of it", "liveops health detailed"),
        };
        Meta {
            outcome: match silent {
                0 => Outcome::Success,
                n if n == self.services.len() => Outcome::Error,
                _ => Outcome::Partial,
            },
            verdict,
            ..next
        }
    }
}

pub(super) async fn basic(services: &[&Service], cx: &Context) -> Result<Exit> {
    show(services, cx, false).await
}

pub(super) async fn detailed(services: &[&Service], cx: &Context) -> Result<Exit> {
    show(services, cx, true).await
}

async fn show(services: &[&Service], cx: &Context, detailed: bool) -> Result<Exit> {
    let asked = stream::iter(services).map(|service| one(cx, service, detailed));
    let entries: Vec<Entry> = asked.buffered(AT_ONCE).collect().await;
    let report = HealthReport { detailed, services: entries };
    let meta = report.meta();
    let exit = meta.verdict.into();
    cx.show(&report, meta)?;
    Ok(exit)
}

async fn one(cx: &Context, service: &Service, detailed: bool) -> Entry {
    let path = if detailed { "api/health/detailed" } else { "api/health" };
    let url = service
        .health
        .as_ref()
        .map_or_else(String::new, |endpoint| format!("{}/{path}", endpoint.url.show().trim_end_matches('/')));
    let entry = |state, latency_ms, detail, document| Entry {
        name: service.name.clone(),
        url: url.clone(),
        state,
        latency_ms,
        detail,
        document,
    };
    match ask(cx, service, detailed).await {
        Ok((status, body, latency)) => {
            let reading = health::read(status, &body);
            let document = serde_json::from_slice(&body).unwrap_or_else(|_| {
                let text = String::from_utf8_lossy(&body).trim().to_owned();
                if text.is_empty() || text.starts_with('<') { Value::Null } else { Value::String(text) }
            });
            entry(reading.state, Some(latency), reading.detail, document)
        }
        Err(error) => {
            let state = service::state_without_answer(&error);
            entry(state, None, error.reason(), Value::Null)
        }
    }
}

async fn ask(cx: &Context, service: &Service, detailed: bool) -> Result<(u16, Vec<u8>, u64)> {
    let endpoint = service.health.as_ref().ok_or_else(|| Error::Unconfigured {
        what: "health API",
        environment: cx.environment().unwrap_or("default").to_owned(),
        hint: format!("set `health.url` of service `{}`", service.name),
    })?;
    let target = cx.target(&service.name, endpoint)?;
    let answer = if detailed {
        service::detailed(cx.http()?, &target, Effort::Quick).await?
    } else {
        service::health(cx.http()?, &target, Effort::Quick).await?
    };
    let latency = u64::try_from(answer.elapsed.as_millis()).unwrap_or(u64::MAX);
    Ok((answer.status, answer.body, latency))
}

impl Report for HealthReport {
    fn schema(&self) -> &'static str {
        "liveops.health/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let mut blocks = Vec::new();
        for entry in &self.services {
            let tone = tone::service(entry.state);
            let latency = entry.latency_ms.map_or_else(String::new, |ms| format!("  {ms} ms"));
            let detail = if entry.detail == entry.state.word() { String::new() } else { format!("  {}", entry.detail) };
            blocks.push(Block::Line(vec![
                tone::mark(tone, view),
                span(format!(" {}", entry.name), Tone::Strong),
                span(format!("  {}", entry.state.word()), tone),
                span(latency, Tone::Dim),
                plain(detail),
            ]));
            if entry.needs_a_look() {
                blocks.push(Block::Line(vec![span(format!("  at {}", entry.url), Tone::Dim)]));
            }
            let mut table = Table::new(["", ""]).indent(2);
            members("", &entry.document, &mut table);
            if !self.detailed {
                table.rows.retain(|row| !matches!(row[0].text.as_str(), "status"));
            }
            blocks.push(Block::Table(table));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["service", "state", "latency_ms", "detail"]);
        for entry in &self.services {
            let latency = entry.latency_ms.map_or_else(String::new, |ms| ms.to_string());
            table.row(vec![plain(&entry.name), plain(entry.state.word()), plain(latency), plain(&entry.detail)]);
        }
        Some(table)
    }
}

/// Every leaf of a document as a row: dotted name, value.
fn members(path: &str, value: &Value, table: &mut Table) {
    let below = |name: &str| {
        if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| members(&below(name), value, table)),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            let text: Vec<String> = items.iter().map(leaf).collect();
            table.row(vec![span(path, Tone::Dim), plain(text.join(", "))]);
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| members(&below(&index.to_string()), value, table));
        }
        Value::Null if path.is_empty() => {}
        leaf_value => {
            let path = if path.is_empty() { "body" } else { path };
            table.row(vec![span(path, Tone::Dim), plain(leaf(leaf_value))]);
        }
    }
}

fn leaf(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
