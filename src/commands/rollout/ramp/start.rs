//! `liveops flag ramp start`: what is given becomes a plan; flag and guards are looked at; one confirmation; then step by
//! step. One change in the audit log for the whole of it, one revision a step in the flag's history.

use std::time::Duration;

use chrono::TimeDelta;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use serde::Serialize;

use crate::change::{Changed, Plan as Change};
use crate::commands::changed::ChangeReport;
use crate::commands::complete;
use crate::commands::flag::refuse::refused;
use crate::commands::flag::site::Site;
use crate::commands::flag::why::Why;
use crate::commands::rollout::canary::{archived, go, holder, refuse_second, show};
use crate::commands::rollout::evidence::Eyes;
use crate::commands::rollout::memories;
use crate::commands::rollout::open::Place;
use crate::commands::rollout::progress::Progress;
use crate::commands::rollout::ramp::{Particulars, StayArgs, scene};
use crate::commands::rollout::runner::Begin;
use crate::commands::rollout::targets::flag::FlagTarget;
use crate::context::Context;
use crate::domain::duration::{self, human};
use crate::domain::flag::definition::Flag;
use crate::domain::flag::edit::{Edit, SetEdit, apply};
use crate::domain::flag::name::FlagName;
use crate::domain::guard::verdict::{Outcome, Role, Verdict};
use crate::domain::labels::Labels;
use crate::domain::rollout::exposure::Percent;
use crate::domain::rollout::plan::{FLAG, Plan, Rules};
use crate::domain::rollout::schedule;
use crate::domain::rollout::state::{Phase, Rollout};
use crate::domain::shell::word;
use crate::domain::suggest::nearest;
use crate::domain::undo::RolloutUndo;
use crate::error::{Error, Exit, Result};
use crate::output::block::{Block, Tone, plain, span};
use crate::output::report::Report;
use crate::output::view::View;
use crate::stores::flags::FlagStore as _;

/// Looks are not further apart than this.
const POLL: Duration = Duration::from_secs(5);

/// Begin a ramp: step by step to the last percentage, on evidence
///
/// A guard is an expression over the metrics of the configuration (`kpis`, and the `rollout.metrics` of services), such
/// as `error_rate < 1%`; a step ends when all of them hold with enough samples, and two looks at which one certainly does
/// not take the flag back. A flag has no second version: `baseline` is the value of before the ramp, unless `--cohort`
/// and `--rest` say by which labels users with and without the flag are told apart.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag ramp start new_matchmaking --steps 1,5,25,50,100 --hold 10m --guard 'error_rate < 1%'
  liveops flag ramp start new_shop --steps 10,100 --policy standard --reason \"shop 2\"
  liveops flag ramp start new_shop --steps 5,50,100 --guard 'error_rate < baseline * 1.5' \\
      --cohort variant=on --rest variant=off")]
pub(super) struct StartArgs {
    /// The flag
    #[arg(value_name = "NAME", value_parser = crate::commands::flag::name, add = ArgValueCompleter::new(complete::flags))]
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
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
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

pub(super) async fn run(args: StartArgs, cx: &Context) -> Result<Exit> {
    cx.output.refuse_rows()?;
    let rules = rules(cx, &args)?;
    let particulars = Particulars {
        cohort: args.cohort.clone().unwrap_or_default(),
        rest: args.rest.clone(),
        reason: args.reason.clone(),
    };
    let name = &args.name;
    let place = Place {
        name: name.to_string(),
        scene: scene(cx, &particulars)?,
        target: Box::new(FlagTarget::new(cx, name.clone(), args.reason.clone())?),
        memory: memories::of_flag(cx, name)?,
    };
    refuse_second(cx, &place).await?;
    let bytes = check(cx, name, &rules).await?;
    let why = Why { reason: args.reason.clone(), ..Why::default() };
    why.check(cx)?;
    let mut eyes = Eyes::open(cx, &place.scene, &rules)?;
    let mut originals = place.target.originals().await?;
    originals.detail = serde_json::to_value(&particulars)?;
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
    let id = format!("r{:08x}", fastrand::u32(..));
    let names = (name.to_string(), cx.environment()?.to_owned());
    let now = cx.clock.now();
    let mut rollout = Rollout::new(id, names, cx.actor.clone(), plan, originals, now);
    rollout.written.clone_from(&rollout.originals.stable_revision);
    let before = before(cx, &mut eyes, &mut rollout).await?;
    let planned = RampPlan::new(&rollout, before);
    if let Some(bad) = planned.bad() {
        return Err(Error::Refused {
            why: format!("`{}` does not hold before anybody gets the flag by this ramp: {}", bad.condition, bad.reason),
            hint: format!("look at it: `{}`; a ramp could not tell its own harm from that", cx.command("status")),
        });
    }
    let summary = format!(
        "ramp flag `{name}` from {} to {} in {} steps",
        planned.from,
        planned.steps.last().copied().unwrap_or_default(),
        planned.steps.len()
    );
    let action = "flag.ramp.start";
    let change = Change {
        action,
        summary: summary.clone(),
        preview: planned.blocks(&cx.output.view(now)),
        undo: Some(RolloutUndo::of(&rollout).into()),
        kill_switch: false,
        undoes: None,
    };
    let result = serde_json::to_value(&planned)?;
    let changed = change
        .carry_out(cx, async |confirmed| {
            let takeover = args.stay.takeover;
            let lock = place.memory.acquire(&holder(cx), takeover, confirmed).await?;
            // Somebody may have been faster between the look and the lock.
            let stored = match refuse_second(cx, &place).await {
                Ok(stored) => stored,
                Err(error) => {
                    let _ = place.memory.release(&lock, confirmed).await;
                    return Err(error);
                }
            };
            rollout.change = Some(confirmed.id().to_owned());
            rollout.note(now, format!("begun by {}", cx.actor));
            let begin = Begin {
                cx,
                place: &place,
                eyes,
                confirmed,
                lock,
                rollout,
                version: stored.map(|stored| archived(cx, stored)),
                progress: Progress::begin(cx, 0, None)?,
                until: args.stay.until(),
                board: None,
            };
            go(begin).await
        })
        .await?;
    match changed {
        Changed::Planned => {
            let report = ChangeReport::new(cx, action, summary, changed, result)?;
            cx.output.show(&report, cx.clock.now())?;
            Ok(Exit::Good)
        }
        Changed::Done { .. } => show(cx, &place).await,
    }
}

fn rules(cx: &Context, args: &StartArgs) -> Result<Rules> {
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
        let names: Vec<&str> = settings.kpis.iter().map(|kpi| kpi.name.as_str()).collect();
        return Err(Error::usage(
            "a ramp without a guard: nothing would keep it from everybody, or take it back",
            format!("add one, such as `--guard 'error_rate < 1%'`, or `--policy NAME`; metrics: {}", names.join(", ")),
        ));
    }
    rules.steps = schedule::whole(&args.steps)
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

/// Can this flag be ramped by these steps? Gives its bytes.
async fn check(cx: &Context, name: &FlagName, rules: &Rules) -> Result<Vec<u8>> {
    let site = Site::of(cx)?;
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
    if at.get().fract() != 0.0 && site.reader == crate::domain::flag::reader::Reader::LegacyV1 {
        return Err(Error::usage(
            format!("flag `{name}` is at {gate} %, to which this reader could not go back"),
            format!("make it whole first: `{}`", cx.command(&format!("flag set {quoted} --pct {}", gate.floor()))),
        ));
    }
    Ok(bytes)
}

/// What the conditions came to over the time of one hold before the ramp. Without Prometheus nobody knows.
///
/// # Errors
/// `Usage` where a condition needs that and it is not known.
async fn before(cx: &Context, eyes: &mut Eyes<'_>, rollout: &mut Rollout) -> Result<Vec<Verdict>> {
    let hold = TimeDelta::from_std(rollout.plan.rules.interval).unwrap_or_default();
    let mut past = rollout.clone();
    past.phase = Phase::Observe;
    past.since -= hold;
    past.started_at -= hold;
    let seen = eyes.look(&past, cx.clock.now()).await;
    let known = eyes.knows_the_past();
    let compares = |text: &str| text.contains("baseline");
    for verdict in seen.iter().filter(|verdict| compares(&verdict.condition)) {
        match verdict.value.filter(|_| known) {
            _ if verdict.stable.is_some() => {}
            Some(value) => {
                rollout.baselines.insert(verdict.condition.clone(), value);
            }
            None if eyes.tells_apart() => {}
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
    const SCHEMA: &'static str = "liveops.flag.ramp.plan/1";

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
            blocks.push(line("goes back if", self.rollback.join(", ")));
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
