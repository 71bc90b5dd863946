//! How objectives stand: read, judged, and as JSON.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::session::Session;
use crate::slo::observe;
use liveops_domain::error::Result;
use liveops_domain::metric::level::Level;
use liveops_domain::slo::Slo;
use liveops_domain::slo::budget::{Budget, Figure, Reading, judge, low_traffic};
use liveops_domain::slo::burn::WINDOWS;
use liveops_domain::status::source::{Source, Verdict};
use liveops_domain::status::worst_level;
use liveops_domain::text::duration::to_promql;
use liveops_domain::text::time::rfc3339;

/// One objective as it stands.
#[derive(Debug, Clone)]
pub struct SloStatus {
    pub slo: Slo,
    pub budget: Budget,
    /// What is worth knowing beside its level.
    pub note: Option<String>,
}

/// Objectives as they stand, in their order.
#[derive(Debug)]
pub struct Statuses {
    pub slos: Vec<SloStatus>,
    pub source: Source,
    /// How many queries it took.
    pub queries: usize,
}

/// Asks how objectives stand.
///
/// # Errors
/// Those of the configuration.
pub async fn ask(cx: &Session, slos: Vec<Slo>) -> Result<Statuses> {
    let observed = observe::ask(cx, &slos).await?;
    let now = cx.clock.now();
    let slos = slos.into_iter().zip(&observed.readings).map(|(slo, reading)| SloStatus::new(slo, reading, now));
    Ok(Statuses { slos: slos.collect(), source: observed.source, queries: observed.queries })
}

impl SloStatus {
    fn new(slo: Slo, reading: &Reading, now: DateTime<Utc>) -> Self {
        let budget = judge(&slo, reading, now);
        let note = low_traffic(&slo, reading);
        Self { slo, budget, note }
    }

    /// As contracts have it; a number that is not known is null, and its reason stands in `reasons`.
    pub fn json(&self) -> Value {
        let Self { slo, budget, note } = self;
        let mut reasons = Map::new();
        let mut number = |key: &str, figure: &Figure| match figure {
            Ok(value) => json!(value),
            Err(why) => {
                reasons.insert(key.to_owned(), json!(why));
                Value::Null
            }
        };
        let counts = |pick: fn(&liveops_domain::slo::budget::Tally) -> f64| {
            budget.counts.as_ref().map(pick).map_err(Clone::clone)
        };
        let burn: Map<String, Value> = WINDOWS
            .iter()
            .zip(&budget.burn)
            .map(|(window, burn)| (to_promql(*window), number(&format!("burn.{}", to_promql(*window)), burn)))
            .collect();
        let mut all = json!({
            "name": slo.name,
            "service": slo.service,
            "objective": slo.objective.get(),
            "window": slo.window.to_string(),
            "method": slo.method.name(),
            "attained": number("attained", &budget.attained),
            "good": number("good", &counts(|tally| tally.total - tally.bad)),
            "bad": number("bad", &counts(|tally| tally.bad)),
            "total": number("total", &counts(|tally| tally.total)),
            "budget_remaining": number("budget_remaining", &budget.remaining),
            "burn": burn,
            "covered": number("covered", &budget.covered),
            "exhausts_at": budget.exhausts.map(|exhausts| rfc3339(exhausts.at)),
            "exhausts_by": budget.exhausts.map(|exhausts| to_promql(exhausts.by)),
            "trend": budget.trend.map(liveops_domain::slo::budget::Trend::name),
            "alerting": budget.alerting.iter().map(|pair| json!({
                "severity": pair.tier.name(), "long": to_promql(pair.long), "short": to_promql(pair.short), "factor": pair.factor.get(),
            })).collect::<Vec<_>>(),
            "unadjusted": budget.unadjusted.as_ref().map(|(attained, remaining)| json!({
                "attained": number("unadjusted.attained", attained),
                "budget_remaining": number("unadjusted.budget_remaining", remaining),
            })),
            "level": budget.level,
            "reason": budget.reason,
            "note": note,
            "defined_at": slo.place,
        });
        all["reasons"] = Value::Object(reasons);
        all
    }
}

/// The worst of all; nothing to judge is not known.
pub fn verdict(slos: &[SloStatus]) -> Verdict {
    match worst_level::of_all(slos.iter().map(|one| one.budget.level)) {
        _ if slos.is_empty() => Verdict::Unknown,
        Level::Critical => Verdict::Fail,
        Level::Unknown => Verdict::Unknown,
        Level::Warn => Verdict::Warn,
        Level::Ok => Verdict::Pass,
    }
}
