//! What is checked before anything is written. Each refusal says how to satisfy the gate, or how to pass it over.

use serde::Serialize;

use crate::clients::http::request::Effort;
use crate::clients::prometheus::Prometheus;
use crate::observe::alerts::backends;
use crate::rollout::resolve::RolloutSubject;
use crate::rollout::target::Objection;
use crate::session::Session;
use crate::slo::check::Checked;
use crate::slo::{check as slo_gate, load};
use liveops_domain::alert::unevaluated::Unevaluated;
use liveops_domain::alert::{Urgency, urgency};
use liveops_domain::error::{Error, Result};
use liveops_domain::guard::alert::unmade;
use liveops_domain::guard::expression::Condition;
use liveops_domain::metric::level::Level;
use liveops_domain::metric::series::Answer;
use liveops_domain::rollout::exposure::Originals;
use liveops_domain::rollout::plan::{Gate, Rules, Waiver};
use liveops_domain::slo::Slo;
use liveops_domain::status::source::Verdict;
use liveops_domain::status::worst_level;
use liveops_domain::text::count::count;
use liveops_domain::text::shell::word;

/// A share that is off by more than this part of what was asked for, or by more than these points, is another rollout.
const COARSE: f64 = 0.5;

const POINTS: f64 = 10.0;

/// What a gate came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GateState {
    Pass,
    Refused,
    /// Somebody passed it over.
    Waived,
    /// Worth saying; refuses nothing.
    Warning,
}

/// One gate.
#[derive(Debug, Clone, Serialize)]
pub struct GateRow {
    pub gate: String,
    pub state: GateState,
    pub text: String,
    pub hint: Option<String>,
    /// It refuses because somebody did not answer, and not because something is bad.
    #[serde(skip)]
    pub unknown: bool,
}

/// Why a gate does not pass, and what to do.
struct Refusal {
    text: String,
    hint: String,
    unknown: bool,
}

fn refused(text: impl Into<String>, hint: impl Into<String>) -> Refusal {
    Refusal { text: text.into(), hint: hint.into(), unknown: false }
}

fn unknown(text: impl Into<String>, hint: impl Into<String>) -> Refusal {
    Refusal { unknown: true, ..refused(text, hint) }
}

fn row(gate: Gate, found: GateResult) -> GateRow {
    let (state, text, hint, unknown) = match found {
        Ok(text) => (GateState::Pass, text, None, false),
        Err(Refusal { text, hint, unknown }) => (GateState::Refused, text, Some(hint), unknown),
    };
    GateRow { gate: gate.name().into(), state, text, hint, unknown }
}

/// Asks everybody at once.
pub async fn check(
    cx: &Session,
    subject: &RolloutSubject<'_>,
    rules: &Rules,
    originals: &Originals,
    waived: &[Waiver],
) -> Result<Vec<GateRow>> {
    let (objections, mut rows) = tokio::join!(subject.target.preflight(), world(cx, rules, &subject.name));
    rows.extend(of_target(subject, rules, originals, &objections?));
    for row in &mut rows {
        if row.state == GateState::Refused
            && let Some(waiver) = waived.iter().find(|waiver| waiver.gate == row.gate)
        {
            row.state = GateState::Waived;
            row.hint = Some(format!("waived: {}", waiver.reason));
        }
    }
    Ok(rows)
}

/// What the world says, whatever the target is.
pub async fn world(cx: &Session, rules: &Rules, service: &str) -> Vec<GateRow> {
    let (exist, firing, budget) = tokio::join!(
        asked(rules, Gate::AlertsExist, alerts_exist(cx, rules)),
        asked(rules, Gate::NoFiringAlert, none_fires(cx, service)),
        asked(rules, Gate::ErrorBudget, budget(cx, rules, service)),
    );
    exist.into_iter().chain(firing).chain(budget).collect()
}

/// What the target says.
pub async fn target(subject: &RolloutSubject<'_>, rules: &Rules, originals: &Originals) -> Result<Vec<GateRow>> {
    Ok(of_target(subject, rules, originals, &subject.target.preflight().await?))
}

fn of_target(
    subject: &RolloutSubject<'_>,
    rules: &Rules,
    originals: &Originals,
    objections: &[Objection],
) -> Vec<GateRow> {
    let wanted = |gate| rules.preflight.contains(&gate);
    let mut rows = Vec::new();
    for gate in [Gate::RollbackPlan, Gate::Capacity, Gate::Permissions] {
        if !wanted(gate) {
            continue;
        }
        let mine = objections.iter().find(|one| one.gate == gate.name() && one.blocks);
        let found = match mine {
            Some(one) => Err(refused(one.text.clone(), one.hint.clone())),
            None if gate == Gate::Capacity => effective(subject, rules, originals),
            None => Ok(match gate {
                Gate::RollbackPlan => format!("back by hand: {}", subject.target.undo_by_hand(Some(originals))),
                _ => "everything that is needed is allowed".into(),
            }),
        };
        rows.push(row(gate, found));
    }
    let others = objections.iter().filter(|one| {
        let gated = Gate::ALL.iter().any(|(name, gate)| *name == one.gate && wanted(*gate));
        !one.blocks || !gated
    });
    rows.extend(others.map(|one| GateRow {
        gate: one.gate.into(),
        state: if one.blocks { GateState::Refused } else { GateState::Warning },
        text: one.text.clone(),
        hint: Some(one.hint.clone()),
        unknown: false,
    }));
    rows
}

/// That the buckets of a histogram leave open what a condition asks.
pub fn coarse((condition, text): (String, String)) -> GateRow {
    let text = format!("{condition}: {text}");
    GateRow { gate: "buckets".into(), state: GateState::Warning, text, hint: None, unknown: false }
}

/// A gate, where the policy has it.
async fn asked(rules: &Rules, gate: Gate, found: impl Future<Output = GateResult>) -> Option<GateRow> {
    match rules.preflight.contains(&gate) {
        true => Some(row(gate, found.await)),
        false => None,
    }
}

type GateResult = std::result::Result<String, Refusal>;

async fn alerts_exist(cx: &Session, rules: &Rules) -> GateResult {
    let hint = || "write an alert rule for it, or pass `--prometheus URL`".to_owned();
    let known = async {
        let client = Prometheus::new(cx.http()?, cx.prometheus()?, Effort::Quick);
        client.rules(&cx.clock).await?.whole()
    };
    let known = known.await.map_err(|error| unknown(format!("no rules: {error}"), hint()))?;
    let alerting = known.iter().filter(|rule| rule.alerting.is_some()).count();
    if alerting == 0 {
        return Err(refused("there is no alert rule at all", hint()));
    }
    for text in rules.success.iter().chain(&rules.rollback) {
        if let Ok(Condition::Alert(alert)) = Condition::parse(text)
            && let Some(why) = unmade(&alert, &known)
        {
            return Err(refused(format!("the policy relies on {text}, and {why}"), hint()));
        }
    }
    Ok(count(alerting, "alert rule"))
}

async fn none_fires(cx: &Session, service: &str) -> GateResult {
    let found = async { backends(cx, Effort::Quick)?.ask(cx.clock.now()).await };
    let found = found
        .await
        .map_err(|error| unknown(format!("nobody says what fires: {error}"), "pass `--alertmanager URL`"))?;
    let of_level = |level: Level| {
        found.alerts.iter().find(|alert| {
            worst_level::of_alert(alert) == Some(level)
                && alert.labels.get("service").is_none_or(|name| name == service)
        })
    };
    if let Some(alert) = of_level(Level::Critical) {
        let way = format!("end it first: `{}`", cx.command(&format!("alerts show {}", word(&alert.name))));
        return Err(refused(format!("{} fires", alert.name), way));
    }
    let unclear = of_level(Level::Unknown).map(|alert| format!("whether {} fires is not known", alert.name));
    let pages = |rule: &&Unevaluated| urgency(rule.severity.as_deref()) == Urgency::Page;
    let unevaluated = found.unevaluated.iter().find(pages);
    let unclear = unclear.or(unevaluated.map(|rule| format!("the rule of {} is not evaluated", rule.name)));
    match found.source_gaps.into_iter().next().or(unclear) {
        Some(gap) => Err(unknown(format!("what fires is not known: {gap}"), format!("see `{}`", cx.command("doctor")))),
        None => Ok("no critical alert fires".into()),
    }
}

async fn budget(cx: &Session, rules: &Rules, service: &str) -> GateResult {
    let Some(query) = &rules.error_budget else {
        return slos(cx, service).await;
    };
    let hint = || "wait until it recovers; the query is `error_budget` of the policy".to_owned();
    let ask = async {
        let client = Prometheus::new(cx.http()?, cx.prometheus()?, Effort::Quick);
        client.instant(query, Some(cx.clock.now())).await
    };
    let answer = ask.await.map_err(|error| unknown(format!("it cannot be asked: {error}"), hint()))?;
    if let Some(warning) = answer.partial() {
        return Err(unknown(format!("not everything answered: {warning}"), hint()));
    }
    let value = match &answer.answer {
        Answer::Vector(series) => match series.as_slice() {
            [only] => only.points.last().and_then(|point| point.value.float()),
            _ => None,
        },
        Answer::Scalar(point) => point.value.float(),
        Answer::Matrix(_) | Answer::String { .. } => None,
    };
    match value {
        Some(value) if value > 0.0 => Ok(format!("{value:.3} is left")),
        Some(value) => Err(refused(format!("it is spent: {value:.3}"), hint())),
        None => Err(unknown("the query gives no single number", hint())),
    }
}

/// The objectives of the service, where the policy has no query of its own.
async fn slos(cx: &Session, service: &str) -> GateResult {
    let known = load::all(cx).map_err(|error| {
        unknown(format!("its SLOs cannot be read: {error}"), format!("see `{}`", cx.command("slo status")))
    })?;
    let mine: Vec<Slo> = known.into_iter().filter(|slo| slo.service.as_deref() == Some(service)).collect();
    if mine.is_empty() {
        return Ok(format!("{service} has no SLO, and no `error_budget` query is configured"));
    }
    let asked = slo_gate::check(cx, mine, 0.0).await;
    let gate = asked.map_err(|error| unknown(format!("it cannot be asked: {error}"), "pass `--prometheus URL`"))?;
    let text = |one: &Checked| match &one.waiver {
        Some(waiver) => format!("{}: {}, waived by {}: {}", one.status.slo.name, one.why, waiver.by, waiver.reason),
        None => format!("{}: {}", one.status.slo.name, one.why),
    };
    let failing = gate.refused();
    let shown: Vec<String> = gate
        .checked
        .iter()
        .filter(|one| failing.is_empty() || failing.contains(&one.status.slo.name))
        .map(text)
        .collect();
    match failing.first() {
        None => Ok(shown.join("; ")),
        Some(name) => {
            let hint = format!("see `{}`", cx.command(&format!("slo budget {name} --explain")));
            let is_known = gate.verdict() == Verdict::Fail;
            Err(Refusal { unknown: !is_known, ..refused(shown.join("; "), hint) })
        }
    }
}

/// The shares that can be had, if none is too far from what was asked for, or that is allowed.
fn effective(subject: &RolloutSubject<'_>, rules: &Rules, originals: &Originals) -> GateResult {
    let mut rounded = Vec::new();
    for step in &rules.steps {
        let real = subject.target.effective(*step, Some(originals));
        let off = (real.get() - step.get()).abs();
        if off <= step.get() * COARSE && off <= POINTS {
            continue;
        }
        if rules.coarse {
            rounded.push(format!("{real} instead of {step}"));
            continue;
        }
        let why = subject.target.arithmetic(*step, originals);
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        return Err(refused(
            format!("a step of {step} would be {real}{why}"),
            "use other `--steps`, run more instances, or take what there is with `--allow-coarse`",
        ));
    }
    let stable = format!("{} of stable", count(originals.stable_available as usize, "instance"));
    Ok(match rounded.as_slice() {
        [] => stable,
        _ => format!("{stable}; as coarse as allowed: {}", rounded.join(", ")),
    })
}

/// The waivers of `--waive GATE --reason TEXT`.
pub fn waivers(gates: &[String], reason: Option<&str>) -> Result<Vec<Waiver>> {
    if gates.is_empty() {
        return Ok(Vec::new());
    }
    let reason =
        reason.ok_or_else(|| Error::usage("`--waive` needs a reason", "add `--reason TEXT`; it is journalled"))?;
    gates
        .iter()
        .map(|gate| {
            if Gate::ALL.iter().any(|(name, _)| name == gate) {
                return Ok(Waiver { gate: gate.clone(), reason: reason.to_owned() });
            }
            Err(Error::NotFound {
                what: "gate",
                name: gate.clone(),
                candidates: Gate::ALL.iter().map(|(name, _)| (*name).to_owned()).collect(),
            })
        })
        .collect()
}
