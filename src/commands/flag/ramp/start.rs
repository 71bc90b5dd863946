//! `liveops flag ramp start`: what is given becomes a plan; flag and guards are looked at; one confirmation; then step by
//! step. One change in the audit log for all of it, one revision a step in the flag's history.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::changed::ChangeReport;
use crate::commands::flag::ramp::StayArgs;
use crate::commands::rollout::status::show_end;
use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::report::Report;
use crate::output::view::View;
use liveops_domain::change::undo::rollout::RolloutUndo;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::flag::name::FlagName;
use liveops_domain::guard::verdict::{Outcome, Role, Verdict};
use liveops_domain::metric::labels::Labels;
use liveops_domain::rollout::exposure::Percent;
use liveops_domain::rollout::plan::{FLAG, Plan, Rules};
use liveops_domain::rollout::schedule;
use liveops_domain::rollout::state::Rollout;
use liveops_domain::text::count::count;
use liveops_domain::text::duration;
use liveops_domain::text::duration::human;
use liveops_domain::text::said;
use liveops_engine::change::{Changed, Plan as Change};
use liveops_engine::flag::reason::ChangeReason;
use liveops_engine::rollout::evidence::EvidenceCollector;
use liveops_engine::rollout::launch::{RunOptions, launch, new_rollout, refuse_if_under_way};
use liveops_engine::rollout::ramp::{RampDetail, before, check, evidence_scope};
use liveops_engine::rollout::resolve::RolloutSubject;
use liveops_engine::rollout::state_store::open as stores;
use liveops_engine::rollout::steering::Scope;
use liveops_engine::rollout::target::flag::FlagTarget;

/// Looks are not further apart than this.
const POLL: Duration = Duration::from_secs(5);

/// Begin a ramp: step by step to the last percentage, on evidence
///
/// A guard is an expression over the metrics of the configuration (`kpis`, and the `rollout.metrics` of services), such
/// as `error_rate < 1%`; a step ends when all of them hold with enough samples, and two looks at which one certainly does
/// not take the flag back. A flag has no second version: `baseline` is the value of before the ramp, unless `--cohort`
/// and `--rest` say by which labels users with and without the flag are distinguished.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag ramp start new_matchmaking --steps 1,5,25,50,100 --hold 10m --guard 'error_rate < 1%'
  liveops flag ramp start new_shop --steps 10,100 --policy standard --reason \"shop 2\"
  liveops flag ramp start new_shop --steps 5,50,100 --guard 'error_rate < baseline * 1.5' \\
      --cohort variant=on --rest variant=off")]
pub(crate) struct StartArgs {
    /// The flag
    #[arg(value_name = "NAME", value_parser = crate::commands::flag::name)]
    name: FlagName,

    /// Percentages, rising, of all users
    #[arg(long, value_name = "1,5,25,100")]
    steps: String,

    /// How long each step is watched at least, once every service has it
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration::parse_positive)]
    hold: Duration,

    /// What must hold to go on, and takes the flag back when it does not; may be repeated
    #[arg(long, value_name = "EXPRESSION")]
    guard: Vec<String>,

    /// Policy whose conditions count as well, those that lead back among them
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,

    /// Requests that a verdict needs [default: the policy's, or 300]
    #[arg(long, value_name = "N")]
    min_samples: Option<u64>,

    /// Labels of the users who have the flag
    #[arg(long, value_name = "LABEL=VALUE,…", value_parser = labels)]
    cohort: Option<Labels>,

    /// Labels of the users who have it not: what `baseline` is measured on
    #[arg(long, value_name = "LABEL=VALUE,…", value_parser = labels, requires = "cohort")]
    rest: Option<Labels>,

    /// Why; it stands in the flag's history. Required in a protected environment
    #[arg(long, value_name = "TEXT", value_parser = said)]
    reason: Option<String>,

    #[command(flatten)]
    stay: StayArgs,
}

fn labels(text: &str) -> std::result::Result<Labels, String> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        named.then(|| (name.to_owned(), value.trim_matches('"').to_owned()))
    };
    text.split(',')
        .map(pair)
        .collect::<Option<Labels>>()
        .ok_or_else(|| "write labels as `variant=on`, several joined by commas".into())
}

/// What would be done.
#[derive(Debug, Serialize)]
struct RampPlan {
    flag: String,
    from: Percent,
    steps: Vec<Percent>,
    hold_s: f64,
    /// How long services keep a flag, before each observation begins.
    propagation_s: f64,
    min_samples: u64,
    guards: Vec<String>,
    rollback: Vec<String>,
    /// What each condition came to over the time before.
    before: Vec<Verdict>,
}

pub(crate) async fn run(args: StartArgs, cx: &Context) -> Result<Exit> {
    cx.output.refuse_rows()?;
    let rules = rules(cx, &args)?;
    let detail = RampDetail {
        cohort: args.cohort.clone().unwrap_or_default(),
        rest: args.rest.clone(),
        reason: args.reason.clone(),
    };
    let name = &args.name;
    let subject = RolloutSubject {
        name: name.to_string(),
        scope: evidence_scope(cx, &detail)?,
        target: Box::new(FlagTarget::new(cx, name.clone(), args.reason.clone())?),
        store: stores::of_flag(cx, name)?,
    };
    refuse_if_under_way(cx, &subject).await?;
    let bytes = check(cx, name, &rules).await?;
    let why = ChangeReason { reason: args.reason.clone(), ..ChangeReason::default() };
    why.check(cx)?;
    let mut evidence = EvidenceCollector::open(cx, &subject.scope, &rules)?;
    let mut originals = subject.target.originals().await?;
    originals.detail = serde_json::to_value(&detail)?;
    if originals.stable_revision.as_deref() != Some(&FlagTarget::version(&bytes)) {
        return Err(Error::Conflict {
            what: format!("flag `{name}` is being changed by somebody else"),
            hint: "try again".into(),
        });
    }
    let plan = Plan {
        image: name.to_string(),
        policy: args.policy.clone().unwrap_or_else(|| "--guard".into()),
        target: FLAG.into(),
        switch: false,
        rules,
        waived: Vec::new(),
    };
    let mut rollout = new_rollout(cx, &subject, plan, originals)?;
    rollout.written.clone_from(&rollout.originals.stable_revision);
    let before = before(cx, &mut evidence, &mut rollout).await?;
    let planned = RampPlan::new(&rollout, before);
    if let Some(bad) = planned.bad() {
        return Err(Error::Refused {
            why: format!("`{}` does not hold before anybody gets the flag by this ramp: {}", bad.condition, bad.reason),
            hint: format!("look at it: `{}`; a ramp could not tell its own harm from that", cx.command("status")),
        });
    }
    let summary = format!(
        "ramp flag `{name}` from {} to {} in {}",
        planned.from,
        planned.steps.last().copied().unwrap_or_default(),
        count(planned.steps.len(), "step")
    );
    let action = "flag.ramp.start";
    let preview = planned.blocks(&cx.output.view(cx.clock.now()));
    let change = Change {
        action,
        summary: summary.clone(),
        undo: Some(RolloutUndo::of(&rollout).into()),
        kill_switch: false,
        undoes: None,
    };
    let result = serde_json::to_value(&planned)?;
    let options = RunOptions { stay: args.stay.stay(), watchers: cx, part: None };
    let changed = cx
        .change(change, preview, async |confirmed| {
            launch(cx, &subject, (|| Ok(rollout), evidence), &options, confirmed).await
        })
        .await?;
    match changed {
        Changed::Planned => {
            let report = ChangeReport::new(cx, action, summary, changed, result)?;
            cx.output.show(&report, cx.clock.now())?;
            Ok(Exit::Good)
        }
        Changed::Done { .. } => show_end(cx, &Scope::One(subject)).await,
    }
}

pub(crate) fn rules(cx: &Context, args: &StartArgs) -> Result<Rules> {
    let settings = &cx.config()?.settings;
    let mut rules = match &args.policy {
        Some(name) => settings.policies.get(name).cloned().ok_or_else(|| Error::NotFound {
            what: "policy",
            name: name.clone(),
            candidates: settings.policies.keys().cloned().collect(),
        })?,
        None => Rules { success: Vec::new(), rollback: Vec::new(), ..Rules::default() },
    };
    rules.success.extend(args.guard.iter().cloned());
    if rules.success.is_empty() && rules.rollback.is_empty() {
        let kpis = cx.kpis()?;
        let names: Vec<&str> = kpis.iter().map(|kpi| kpi.name.as_str()).collect();
        return Err(Error::usage(
            "a ramp without a guard: nothing would keep it from everybody, or take it back",
            format!("add one, such as `--guard 'error_rate < 1%'`, or `--policy NAME`; metrics: {}", names.join(", ")),
        ));
    }
    rules.steps = schedule::whole_percents(&args.steps)
        .map_err(|message| Error::usage(message, "give rising whole percentages, such as `--steps 1,5,25,50,100`"))?;
    rules.interval = args.hold;
    rules.poll = rules.poll.min(POLL).min(args.hold / 2);
    rules.max_step = args.hold * 3;
    rules.propagation = settings.flags.cache_ttl;
    rules.window = Duration::ZERO;
    rules.min_samples = args.min_samples.unwrap_or(rules.min_samples);
    rules.approval = None;
    rules.preflight = Vec::new();
    Ok(rules)
}

impl RampPlan {
    fn new(rollout: &Rollout, before: Vec<Verdict>) -> Self {
        let rules = &rollout.plan.rules;
        Self {
            flag: rollout.service.clone(),
            from: rollout.originals.weight,
            steps: rules.steps.clone(),
            hold_s: rules.interval.as_secs_f64(),
            propagation_s: rules.propagation.as_secs_f64(),
            min_samples: rules.min_samples,
            guards: rules.success.clone(),
            rollback: rules.rollback.clone(),
            before,
        }
    }

    /// The condition that is bad already.
    fn bad(&self) -> Option<&Verdict> {
        self.before.iter().find(|verdict| verdict.outcome == Outcome::Fail)
    }
}

impl Report for RampPlan {
    fn schema(&self) -> &'static str {
        "liveops.flag.ramp.plan/1"
    }

    fn blocks(&self, _view: &View) -> Vec<Block> {
        let steps: Vec<String> = self.steps.iter().map(ToString::to_string).collect();
        let hold = Duration::from_secs_f64(self.hold_s);
        let propagation = Duration::from_secs_f64(self.propagation_s);
        let all = (hold + propagation) * u32::try_from(steps.len()).unwrap_or(1);
        let line = |lead: &str, text: String| Block::Whole(vec![span(format!("{lead}: "), Tone::Dim), plain(text)]);
        let mut blocks = vec![
            Block::Whole(vec![
                span(format!("{}: ", self.flag), Tone::Strong),
                plain(format!("{}, then {}", self.from, steps.join(", "))),
            ]),
            Block::Whole(vec![span(
                format!(
                    "each for {} at least, after {} until every service has it, with {} samples; {} in all",
                    human(hold),
                    human(propagation),
                    self.min_samples,
                    human(all)
                ),
                Tone::Dim,
            )]),
        ];
        if !self.guards.is_empty() {
            let text = format!("{}; otherwise back to {}", self.guards.join(", "), self.from);
            blocks.push(line("goes on while", text));
        }
        if !self.rollback.is_empty() {
            blocks.push(line("rolls back if", self.rollback.join(", ")));
        }
        for verdict in &self.before {
            if verdict.role == Role::Success || verdict.outcome != Outcome::Pass {
                let text = format!("{} {}: {}", verdict.condition, verdict.outcome.word(), verdict.reason);
                blocks.push(line("before it", text));
            }
        }
        blocks.push(Block::Blank);
        blocks
    }
}
