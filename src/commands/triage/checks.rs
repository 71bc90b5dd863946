//! The checks of the checklist: each looks at one thing, and says what it found, or why it could not look. All of them
//! are made at once; a dead dependency is one item's `unknown`.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::Value;

use crate::clients::http::{Effort, Request, Target};
use crate::clients::prometheus::Prometheus;
use crate::commands::changes::gather::gather as gather_changes;
use crate::commands::changes::series;
use crate::context::Context;
use crate::domain::changes::breaks::{Break, find};
use crate::domain::changes::rank::{Suspect, rank};
use crate::domain::changes::{Change, Kind};
use crate::domain::incident::state::Incident;
use crate::domain::kpi::Kpi;
use crate::domain::level::Level;
use crate::domain::series::Answer;
use crate::domain::triage::{Check, Found, Item, Outcome};
use crate::error::{Error, Result};
use crate::output::report::{Source, SourceState};
use crate::output::view::relative;

/// How far back changes are looked for.
const BACK: TimeDelta = TimeDelta::hours(2);
/// Lines of evidence that an item shows.
const LINES: usize = 6;

/// Everything that the checks found.
#[derive(Debug)]
pub(super) struct Looked {
    /// One for each item, in their order.
    pub(super) found: Vec<Found>,
    pub(super) changes: Vec<Change>,
    pub(super) suspects: Vec<Suspect>,
    pub(super) sources: Vec<Source>,
    started: Option<DateTime<Utc>>,
    service: Option<String>,
}

impl Looked {
    /// Makes every check.
    ///
    /// # Errors
    /// Those of the configuration only.
    pub(super) async fn at(
        cx: &Context,
        items: &[Item],
        incident: Option<&Incident>,
    ) -> Result<Self> {
        let mut looked = Self {
            found: Vec::new(),
            changes: Vec::new(),
            suspects: Vec::new(),
            sources: Vec::new(),
            started: incident.and_then(|one| one.started.at()),
            service: incident.and_then(|one| one.service.clone()),
        };
        looked.changes(cx).await?;
        let found = join_all(items.iter().map(|item| looked.one(cx, item))).await;
        looked.found = found;
        Ok(looked)
    }

    /// Makes one check again.
    ///
    /// # Errors
    /// Those of the configuration only.
    pub(super) async fn again(&mut self, cx: &Context, index: usize, item: &Item) -> Result<()> {
        if matches!(item.check, Check::Deployments | Check::Flags) {
            self.changes(cx).await?;
        }
        self.found[index] = self.one(cx, item).await;
        Ok(())
    }

    /// What changed, and who is suspected by the clearest break of the KPIs that have thresholds.
    async fn changes(&mut self, cx: &Context) -> Result<()> {
        let now = cx.clock.now();
        let since = self.started.unwrap_or(now) - BACK;
        let kpis: Vec<Kpi> = kpis(cx)?
            .into_iter()
            .filter(|kpi| kpi.critical.is_some() || kpi.warn.is_some())
            .collect();
        let (found, broken) = tokio::join!(
            gather_changes(cx, since),
            join_all(kpis.iter().map(async |kpi| {
                let points = series(cx, kpi, since, now).await.ok()?;
                Some((find(&points)?, kpi.service.clone()))
            }))
        );
        let found = found?;
        let clearest: Option<(Break, Option<String>)> = broken
            .into_iter()
            .flatten()
            .max_by(|a, b| a.0.sigmas.total_cmp(&b.0.sigmas));
        self.suspects = clearest.map_or_else(Vec::new, |(broken, service)| {
            let service = self.service.clone().or(service);
            rank(&found.changes, &broken, service.as_deref())
        });
        self.changes = found.changes;
        self.sources = found.sources;
        Ok(())
    }

    async fn one(&self, cx: &Context, item: &Item) -> Found {
        let found = match item.check {
            Check::Scope => scope(cx).await,
            Check::Alerts => alerts(cx).await,
            Check::Deployments => Ok(self.of_kinds(
                cx,
                &[Kind::Deploy, Kind::Migration, Kind::Scale, Kind::Restart],
            )),
            Check::Flags => Ok(self.of_kinds(cx, &[Kind::Flag, Kind::Config])),
            Check::Dependencies => dependencies(cx).await,
            Check::Targets => targets(cx).await,
            Check::Logs => Ok(logs(cx)),
            Check::Query => query(cx, item).await,
            Check::None => Ok(Found::new(Outcome::Manual, Vec::new())),
        };
        let mut found = found.unwrap_or_else(|error| Found::unknown(error.to_string()));
        let more = found.lines.len().saturating_sub(LINES);
        if more > 0 {
            found.lines.truncate(LINES);
            found.lines.push(format!("and {more} more"));
        }
        found
    }

    /// Changes of some kinds, the suspects first.
    fn of_kinds(&self, cx: &Context, kinds: &[Kind]) -> Found {
        let now = cx.clock.now();
        let suspected = self
            .suspects
            .iter()
            .filter(|one| kinds.contains(&one.change.kind));
        let mut lines: Vec<String> = suspected
            .map(|one| format!("suspect: {} ({})", one.change.what, one.reasons.join("; ")))
            .collect();
        let suspicious = !lines.is_empty();
        let others = self.changes.iter().rev().filter(|change| {
            kinds.contains(&change.kind) && self.suspects.iter().all(|one| one.change != **change)
        });
        lines.extend(others.map(|change| format!("{} {}", relative(change.at, now), change.what)));
        let down = self.sources.iter().filter(|one| {
            one.state == SourceState::Down && matches!(one.name.as_str(), "kubernetes" | "flags")
        });
        let down: Vec<String> = down
            .map(|one| format!("{} did not answer", one.name))
            .collect();
        let outcome = if suspicious || !lines.is_empty() {
            Outcome::Suspicious
        } else if down.is_empty() {
            lines.push("nothing of this is known to have changed".into());
            Outcome::Clear
        } else {
            Outcome::Unknown
        };
        lines.extend(down);
        Found::new(outcome, lines)
    }
}

fn kpis(cx: &Context) -> Result<Vec<Kpi>> {
    let known = &cx.config()?.settings.kpis;
    Ok(if known.is_empty() {
        crate::config::presets::kpis()
    } else {
        known.clone()
    })
}

fn prometheus(cx: &Context) -> Result<Prometheus<'_>> {
    Ok(Prometheus::new(cx.http()?, cx.prometheus()?, Effort::Quick))
}

/// KPIs that are out of bounds, by their label where they have one.
async fn scope(cx: &Context) -> Result<Found> {
    let client = prometheus(cx)?;
    let kpis = kpis(cx)?;
    let asked = kpis.iter().map(async |kpi| {
        let query = kpi.promql_by().unwrap_or_else(|| kpi.promql());
        (kpi, client.instant(&query, None).await)
    });
    let mut lines = Vec::new();
    let (mut bad, mut answered) = (0, 0);
    let mut first = None;
    for (kpi, answer) in join_all(asked).await {
        let answer = match answer {
            Ok(queried) => queried.answer,
            Err(error) => {
                first.get_or_insert(error);
                continue;
            }
        };
        answered += 1;
        let Answer::Vector(series) = answer else {
            continue;
        };
        let mut parts = Vec::new();
        let mut worst = Level::Ok;
        for one in &series {
            let Some(value) = one.points.first().and_then(|point| point.value.float()) else {
                continue;
            };
            let level = kpi.level(value);
            if matches!(level, Level::Warn | Level::Critical) && worst != Level::Critical {
                worst = level;
            }
            let label = kpi.by.as_ref().and_then(|by| one.labels.get(by));
            let shown = kpi.unit.show(value);
            parts.push(label.map_or_else(|| shown.clone(), |label| format!("{label} {shown}")));
        }
        let line = format!("{}: {}", kpi.title(), parts.join(", "));
        match worst {
            Level::Warn | Level::Critical => {
                bad += 1;
                let word = if worst == Level::Critical {
                    "CRITICAL"
                } else {
                    "warning"
                };
                lines.insert(0, format!("{word} {line}"));
            }
            _ if kpi.by.is_some() && !parts.is_empty() => lines.push(line),
            _ => {}
        }
    }
    if answered == 0 {
        return Err(first.unwrap_or_else(|| Error::internal("no KPI is known")));
    }
    if bad == 0 {
        lines.insert(0, "no figure is out of its bounds".into());
    }
    let outcome = if bad > 0 {
        Outcome::Suspicious
    } else {
        Outcome::Clear
    };
    Ok(Found::new(outcome, lines))
}

/// What fires, the first one first.
async fn alerts(cx: &Context) -> Result<Found> {
    let mut alerts = prometheus(cx)?.alerts().await?;
    alerts.retain(|alert| alert.state.is_loud());
    alerts.sort_by_key(|alert| alert.since);
    let now = cx.clock.now();
    let lines: Vec<String> = alerts
        .iter()
        .map(|alert| {
            let since = alert.since.map_or_else(String::new, |at| relative(at, now));
            let severity = alert.severity.as_deref().unwrap_or("no severity");
            format!("{} ({severity}) {since}", alert.name)
        })
        .collect();
    Ok(if lines.is_empty() {
        Found::new(Outcome::Clear, vec!["nothing fires".into()])
    } else {
        Found::new(Outcome::Suspicious, lines)
    })
}

/// The status pages of the configuration.
async fn dependencies(cx: &Context) -> Result<Found> {
    let known = &cx.config()?.settings.documents.dependencies;
    if known.is_empty() {
        return Ok(Found::unknown(
            "no status page is configured: add `dependencies` to liveops.yaml",
        ));
    }
    let http = cx.http()?;
    let asked = known.iter().map(async |one| {
        let target = Target::new(&one.name, &one.url, &[])?;
        let request = Request::get("").effort(Effort::Quick);
        http.send(&target, request).await?.ok()
    });
    let mut lines = Vec::new();
    let mut outcome = Outcome::Clear;
    for (one, answer) in known.iter().zip(join_all(asked).await) {
        let line = match answer {
            Ok(answer) => {
                let page: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                // Statuspage: none, minor, major, critical, maintenance.
                match page["status"]["indicator"].as_str() {
                    None | Some("none") => format!("{} says it is well", one.name),
                    Some(indicator) => {
                        outcome = Outcome::Suspicious;
                        let words = page["status"]["description"].as_str().unwrap_or_default();
                        format!("{}: {indicator} {words}", one.name)
                    }
                }
            }
            Err(error @ Error::Rejected { .. }) => {
                outcome = Outcome::Suspicious;
                format!("{}: {error}", one.name)
            }
            Err(error) => {
                if outcome == Outcome::Clear {
                    outcome = Outcome::Unknown;
                }
                format!("{}: {error}", one.name)
            }
        };
        lines.push(line);
    }
    Ok(Found::new(outcome, lines))
}

/// Scrape targets that are not up.
async fn targets(cx: &Context) -> Result<Found> {
    let targets = prometheus(cx)?.targets().await?;
    let down: Vec<String> = targets
        .iter()
        .filter(|target| target.health == "down")
        .map(|target| {
            let label = |name: &str| target.labels.get(name).map_or("?", String::as_str);
            format!(
                "{} {}: {}",
                label("job"),
                label("instance"),
                target.last_error
            )
        })
        .collect();
    Ok(if down.is_empty() {
        let line = format!("all {} targets answer", targets.len());
        Found::new(Outcome::Clear, vec![line])
    } else {
        Found::new(Outcome::Suspicious, down)
    })
}

/// Logs are read by a person; the commands are ready.
fn logs(cx: &Context) -> Found {
    let kubectl = super::walk::kubectl(cx).unwrap_or_else(|_| "kubectl".into());
    let services = cx.config().map(|config| &config.settings.services);
    let lines = services
        .into_iter()
        .flatten()
        .map(|service| format!("{kubectl} logs -l app={} --tail=200 --prefix", service.name));
    Found::new(Outcome::Manual, lines.collect())
}

/// PromQL against its limit.
async fn query(cx: &Context, item: &Item) -> Result<Found> {
    let text = item.query.as_deref().unwrap_or_default();
    let answer = prometheus(cx)?.instant(text, None).await?.answer;
    let value = match answer {
        Answer::Vector(series) => series
            .first()
            .and_then(|series| series.points.first()?.value.float()),
        Answer::Scalar(point) => point.value.float(),
        _ => None,
    };
    let Some(value) = value else {
        return Ok(Found::unknown(format!("no series: {text}")));
    };
    let shown = format!("{value:.3} = {text}");
    Ok(match item.limit {
        Some(limit) if value > limit => Found::new(
            Outcome::Suspicious,
            vec![shown, format!("above its limit of {limit}")],
        ),
        Some(_) => Found::new(Outcome::Clear, vec![shown]),
        None => Found::new(Outcome::Manual, vec![shown]),
    })
}
