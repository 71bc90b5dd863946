//! A rollout of a flag.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::flag::refuse::refused;
use crate::flag::store_access::FlagStoreAccess;
use crate::flagstore::FlagStore as _;
use crate::rollout::evidence::{EvidenceCollector, EvidenceScope};
use crate::rollout::resolve::RolloutSubject;
use crate::rollout::state_store::open;
use crate::rollout::target::flag::FlagTarget;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::flag::definition::Flag;
use liveops_domain::flag::edit::{Edit, SetEdit, apply};
use liveops_domain::flag::name::FlagName;
use liveops_domain::guard::judge::Baseline;
use liveops_domain::guard::verdict::Verdict;
use liveops_domain::metric::labels::Labels;
use liveops_domain::rollout::exposure::Percent;
use liveops_domain::rollout::plan::Rules;
use liveops_domain::rollout::row::RolloutRow;
use liveops_domain::rollout::state::{Phase, Rollout};
use liveops_domain::text::shell::word;
use liveops_domain::text::suggest::nearest;

/// What a ramp knows beside what every rollout knows; kept with what it goes back to.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct RampDetail {
    /// Labels of the users who have the flag, in the metrics.
    #[serde(default)]
    pub cohort: Labels,
    /// Labels of those who do not.
    #[serde(default)]
    pub rest: Option<Labels>,
    /// Why the flag is ramped.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Everything that the ramp of a flag touches, as it was begun.
pub async fn open<'a>(cx: &'a Session, name: &FlagName) -> Result<RolloutSubject<'a>> {
    let store = open::of_flag(cx, name)?;
    let stored = match store.load().await {
        Ok(Some(stored)) => stored.rollout.originals.detail,
        _ => Value::Null,
    };
    let detail: RampDetail = serde_json::from_value(stored).unwrap_or_default();
    Ok(RolloutSubject {
        name: name.to_string(),
        scope: evidence_scope(cx, &detail)?,
        target: Box::new(FlagTarget::new(cx, name.clone(), detail.reason)?),
        store,
    })
}

/// Every metric of the environment: a flag belongs to no service.
pub fn evidence_scope(cx: &Session, detail: &RampDetail) -> Result<EvidenceScope> {
    let settings = &cx.config()?.settings;
    let of_services = settings.services.iter().filter_map(|service| service.rollout.as_ref());
    let mut metrics = cx.kpis()?.into_owned();
    for metric in of_services.flat_map(|rollout| &rollout.metrics) {
        if !metrics.iter().any(|known| known.name == metric.name) {
            metrics.push(metric.clone());
        }
    }
    let endpoints = settings.services.iter().flat_map(|service| {
        let endpoints = service.metrics.iter().cloned();
        endpoints.map(|endpoint| (service.name.clone(), endpoint))
    });
    Ok(EvidenceScope {
        service: None,
        metrics,
        endpoints: endpoints.collect(),
        canary: detail.cohort.clone(),
        stable: detail.rest.clone(),
    })
}

/// The name of a flag that is already known to be one.
pub fn name(text: &str) -> Result<FlagName> {
    text.parse().map_err(|_| Error::internal("a ramp of something that is no flag"))
}

/// Can this flag be ramped by these steps? Gives its bytes.
pub async fn check(cx: &Session, name: &FlagName, rules: &Rules) -> Result<Vec<u8>> {
    let site = FlagStoreAccess::of(cx)?;
    let quoted = word(name.as_str());
    let Some(bytes) = site.store.get(name).await? else {
        let all = site.store.all().await?;
        let names: Vec<String> = all.into_iter().map(|(name, _)| name).collect();
        let create = cx.command(&format!("flag set {quoted} --pct 0"));
        let near = nearest(name.as_str(), names.iter().map(String::as_str));
        return Err(Error::usage(
            format!("there is no flag `{name}`"),
            match near {
                Some(near) => {
                    format!("did you mean `{near}`? To create it for nobody yet: `{create}`")
                }
                None => format!("create it for nobody yet: `{create}`"),
            },
        ));
    };
    let flag = Flag::read(&bytes);
    if let Ok(flag) = &flag
        && !flag.enabled()
    {
        return Err(Error::usage(
            format!("flag `{name}` is off, so that a percentage would reach nobody"),
            format!("switch it on for nobody first: `{}`", cx.command(&format!("flag set {quoted} --pct 0 --enable"))),
        ));
    }
    for step in &rules.steps {
        let edit = Edit::Set(SetEdit { percentage: step.get().to_string().parse().ok(), ..SetEdit::default() });
        if let Err(error) = apply(Some(&bytes), &edit, site.reader) {
            return Err(refused(cx, name, Some(&bytes), &error));
        }
    }
    let gate = flag.map_or(100.0, |flag| flag.gate());
    let at = Percent::new(gate).unwrap_or(Percent::FULL);
    let first = rules.steps.first().copied().unwrap_or_default();
    if !first.exceeds(at) {
        let left: Vec<String> =
            rules.steps.iter().filter(|step| step.exceeds(at)).map(|step| step.get().to_string()).collect();
        return Err(Error::usage(
            format!("flag `{name}` is at {at} already, and the first step is {first}"),
            match left.is_empty() {
                true => format!("begin lower: `{}`", cx.command(&format!("flag set {quoted} --pct 0"))),
                false => format!("take the steps above it: `--steps {}`", left.join(",")),
            },
        ));
    }
    if at.get().fract() != 0.0 && site.reader == liveops_domain::flag::reader::Reader::LegacyV1 {
        return Err(Error::usage(
            format!("flag `{name}` is at {gate} %, to which this reader could not go back"),
            format!("make it whole first: `{}`", cx.command(&format!("flag set {quoted} --pct {}", gate.floor()))),
        ));
    }
    Ok(bytes)
}

/// What the conditions came to over the time of one hold before the ramp. Without Prometheus nobody knows.
pub async fn before(cx: &Session, evidence: &mut EvidenceCollector<'_>, rollout: &mut Rollout) -> Result<Vec<Verdict>> {
    let hold = TimeDelta::from_std(rollout.plan.rules.interval).unwrap_or_default();
    let mut past = rollout.clone();
    past.phase = Phase::Observe;
    past.since -= hold;
    past.started_at -= hold;
    let (seen, _) = evidence.collect(&past, cx.clock.now()).await;
    let known = evidence.has_history();
    let compares = |text: &str| text.contains("baseline");
    for verdict in seen.iter().filter(|verdict| compares(&verdict.condition)) {
        match verdict.value.filter(|_| known) {
            _ if verdict.stable.is_some() => {}
            Some(value) => {
                rollout.baselines.insert(verdict.condition.clone(), Baseline { value, n: verdict.n });
            }
            None if evidence.distinguishes_versions() => {}
            None => {
                return Err(Error::usage(
                    format!(
                        "`{}` cannot be used for this flag: a flag has no stable version beside it, and its value before the ramp is not known ({})",
                        verdict.condition,
                        match known {
                            true => verdict.reason.as_str(),
                            false => "only Prometheus would know it",
                        }
                    ),
                    "compare with a number, such as `error_rate < 1%`, or say by which labels users without the flag are known: `--cohort variant=on --rest variant=off`",
                ));
            }
        }
    }
    // The first look of all at counters tells nothing, and a value that is compared with itself neither.
    Ok(seen.into_iter().filter(|verdict| known && !compares(&verdict.condition)).collect())
}

/// The latest ramp of each flag.
pub async fn ramps(cx: &Session) -> Result<Vec<RolloutRow>> {
    let found = open::of_flags(cx).await?;
    let rows = found.iter().map(|(stored, holder)| RolloutRow::new(&stored.rollout, holder.as_ref()));
    Ok(rows.collect())
}

/// A ramp as it stands in JSON: what is a service's in a rollout is a flag's here.
pub fn ramp(row: &RolloutRow) -> Value {
    let mut ramp = json!(row);
    if let Value::Object(members) = &mut ramp {
        for (from, to) in [("service", "flag"), ("weight", "percentage")] {
            let value = members.remove(from);
            members.extend(value.map(|value| (to.to_owned(), value)));
        }
        members.remove("image");
        members.remove("target");
    }
    ramp
}
