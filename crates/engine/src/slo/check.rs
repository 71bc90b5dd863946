//! The gate: is there budget left, and does it not burn fast enough to page? What is not known does not pass. Somebody
//! may waive it, for a time and with a reason; the audit log keeps who did.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::change::{Done, Plan};
use crate::session::Session;
use crate::slo::status::{SloStatus, ask};
use liveops_domain::change::record::ChangeRecord;
use liveops_domain::change::undo::Impossible;
use liveops_domain::error::Result;
use liveops_domain::metric::level::Level;
use liveops_domain::slo::Slo;
use liveops_domain::slo::burn::Tier;
use liveops_domain::status::source::{Source, Verdict};
use liveops_domain::text::duration::human;
use liveops_domain::text::time::rfc3339;

/// The action in the audit log.
const WAIVE: &str = "slo.waive";

/// How one objective fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Pass,
    Fail,
    Unknown,
    /// It would fail, or is not known, and somebody waived that.
    Waived,
}

/// A waiver that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    pub slos: Vec<String>,
    pub reason: String,
    pub until: DateTime<Utc>,
    #[serde(default)]
    pub by: String,
}

/// One objective against the gate.
#[derive(Debug, Clone)]
pub struct Checked {
    pub status: SloStatus,
    pub outcome: Outcome,
    pub why: String,
    pub waiver: Option<Waiver>,
}

/// All of them, and who answered.
#[derive(Debug)]
pub struct Gate {
    pub checked: Vec<Checked>,
    pub source: Source,
}

/// Puts objectives to the gate; at least `min_budget` of the budget must be left.
///
/// # Errors
/// Those of the configuration.
pub async fn check(cx: &Session, slos: Vec<Slo>, min_budget: f64) -> Result<Gate> {
    let statuses = ask(cx, slos).await?;
    let waivers = waivers(cx)?;
    let checked = statuses.slos.into_iter().map(|status| {
        let (outcome, why) = judge(&status, min_budget);
        let waiver = match outcome {
            Outcome::Pass => None,
            _ => waivers.iter().find(|waiver| waiver.slos.contains(&status.slo.name)).cloned(),
        };
        let outcome = if waiver.is_some() { Outcome::Waived } else { outcome };
        Checked { status, outcome, why, waiver }
    });
    Ok(Gate { checked: checked.collect(), source: statuses.source })
}

fn judge(status: &SloStatus, min_budget: f64) -> (Outcome, String) {
    let budget = &status.budget;
    let reason = || budget.reason.clone().unwrap_or_else(|| "not known".into());
    let left = match &budget.remaining {
        Ok(left) if budget.level != Level::Unknown => *left,
        _ => return (Outcome::Unknown, reason()),
    };
    let percent = format!("{:.1} %", left * 100.0);
    if left <= 0.0 {
        return (Outcome::Fail, format!("the error budget is spent: {percent} left"));
    }
    if left < min_budget {
        return (Outcome::Fail, format!("{percent} of the budget is left, below {:.0} %", min_budget * 100.0));
    }
    if budget.alerting.iter().any(|pair| pair.tier == Tier::Page) {
        return (Outcome::Fail, reason());
    }
    (Outcome::Pass, format!("{percent} of the budget is left"))
}

impl Gate {
    /// What is bad outweighs what is not known.
    pub fn verdict(&self) -> Verdict {
        let any = |outcome: Outcome| self.checked.iter().any(|one| one.outcome == outcome);
        if any(Outcome::Fail) {
            Verdict::Fail
        } else if any(Outcome::Unknown) || self.checked.is_empty() {
            Verdict::Unknown
        } else if any(Outcome::Waived) {
            Verdict::Warn
        } else {
            Verdict::Pass
        }
    }

    /// The names of those that do not pass, those that are known to be bad first.
    pub fn refused(&self) -> Vec<String> {
        let those = |outcome| self.checked.iter().filter(move |one| one.outcome == outcome);
        those(Outcome::Fail).chain(those(Outcome::Unknown)).map(|one| one.status.slo.name.clone()).collect()
    }
}

impl Checked {
    pub fn json(&self) -> Value {
        let mut all = self.status.json();
        all["outcome"] = json!(self.outcome);
        all["why"] = json!(self.why);
        all["waived"] = self.waiver.as_ref().map_or(
            Value::Null,
            |waiver| json!({ "by": waiver.by, "reason": waiver.reason, "until": rfc3339(waiver.until) }),
        );
        all
    }
}

/// The waivers that hold in this environment, of this machine's audit log.
fn waivers(cx: &Session) -> Result<Vec<Waiver>> {
    let (environment, now) = (cx.environment()?, cx.clock.now());
    // A waiver holds for a month at most.
    let waiver = |change: ChangeRecord| {
        let made = change.action == WAIVE && change.environment == environment;
        let result = change.result.filter(|_| made)?;
        let waiver: Waiver = serde_json::from_value(result).ok()?;
        Some(Waiver { by: change.by, ..waiver })
    };
    let mut waivers = Vec::new();
    // What cannot be read waives nothing.
    let _ = cx.audit_log().changes_since(now - LONGEST, |change| {
        waivers.extend(waiver(change).filter(|waiver| waiver.until > now));
    });
    Ok(waivers)
}

/// No waiver holds longer.
pub const LONGEST: TimeDelta = TimeDelta::days(31);

/// The change that writes a waiver down, and what it holds.
pub fn waive(cx: &Session, slos: Vec<String>, reason: &str, length: Duration) -> (Plan, Waiver) {
    let until = cx.clock.now() + TimeDelta::from_std(length).unwrap_or(LONGEST);
    let plan = Plan {
        action: WAIVE,
        summary: format!("waive the error budget of {} for {}: {reason}", slos.join(", "), human(length)),
        undo: None,
        kill_switch: false,
        undoes: None,
    };
    (plan, Waiver { slos, reason: reason.to_owned(), until, by: cx.actor.clone() })
}

/// What the audit log keeps of it.
pub fn waived(waiver: &Waiver) -> Done<Waiver> {
    let why = format!("a waiver ends by itself at {}", rfc3339(waiver.until));
    let undo = Impossible::Nothing { why, instead: "slo check".into() };
    Done { result: waiver.clone(), undo: Some(undo.into()) }
}
