//! Who would be switched on or off by a change of a flag.

use liveops_domain::text::count::count;
use std::path::Path;

use serde::Serialize;

use crate::flag::change::{FlagWritten, Writing};
use crate::flag::store_access::{AppliedUpdate, FlagStoreAccess, FlagUpdate};
use crate::flag::users;
use liveops_domain::error::Result;
use liveops_domain::flag::audience::{Audience, Flip, audience, flip};
use liveops_domain::flag::bucket::ANONYMOUS;
use liveops_domain::flag::definition::Flag;
use liveops_domain::flag::delta::{Delta, deltas, words};
use liveops_domain::flag::evaluate::{Answer, Evaluation, StepName, evaluate};
use liveops_domain::flag::lint::{Finding, LintContext, lint};
use liveops_domain::flag::name::FlagName;
use liveops_domain::flag::percent::Percent;
use liveops_domain::flag::reader::Reader;
use liveops_domain::flag::user::User;
use liveops_domain::text::shell::word;

/// Users that one line names; the others are counted.
const NAMED: usize = 5;

/// What is known of a change beforehand.
#[derive(Debug, Clone)]
pub struct ChangeImpact {
    pub impacts: Vec<FlagImpact>,
}

#[derive(Debug, Clone, Serialize)]
pub struct FlagImpact {
    pub flag: FlagName,
    /// Does it come to be, or go?
    pub created: bool,
    pub removed: bool,
    /// The revision that it has now, where liveops wrote it.
    pub rev_before: Option<u64>,
    pub changes: Vec<Delta>,
    /// Whom it reaches now, and then; `null` where there is no flag, or none that can be read.
    pub audience_before: Option<Audience>,
    pub audience_after: Option<Audience>,
    /// What it does to the users that were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<FlipCounts>,
    /// What is odd about it, and whom it surprises.
    pub warnings: Vec<String>,
    /// It is off for everybody, before and after: a kill is in force.
    #[serde(skip)]
    pub still_off: bool,
}

impl ChangeImpact {
    /// Looks at every flag before and after.
    pub async fn of(access: &FlagStoreAccess<'_>, targets: &[FlagUpdate], file: Option<&Path>) -> Result<Self> {
        let mut impacts = Vec::new();
        for target in targets {
            let mut impact = FlagImpact::of(target, access.reader);
            if impact.still_off {
                let enable = access.cx.command(&format!("flag enable {}", word(target.name.as_str())));
                impact.warnings.push(format!("still off for everybody: the flag is disabled; `{enable}` turns it on"));
            }
            impacts.push(impact);
        }
        if let Some(file) = file {
            let pairs: Vec<BeforeAfter> = targets.iter().map(BeforeAfter::of).collect();
            let mut exact = vec![FlipCounts::default(); pairs.len()];
            users::each(access.cx, file, |user| {
                for (pair, exact) in pairs.iter().zip(&mut exact) {
                    exact.add(pair.flip(access.reader, &user));
                }
            })
            .await?;
            for (impact, exact) in impacts.iter_mut().zip(exact) {
                impact.users = Some(exact);
            }
        }
        Ok(Self { impacts })
    }

    /// For the result of what was done.
    pub fn effects(&self, effects: &[AppliedUpdate], replicas: Option<u64>) -> Vec<FlagWritten> {
        let of = |effect: &AppliedUpdate| {
            let mut impact = self.impacts.iter().find(|impact| impact.flag == effect.name)?.clone();
            let revision = effect.revision.as_ref();
            // What was done in the end, which is more than was planned when somebody was faster.
            if let Some(revision) = revision {
                impact.changes = deltas(revision.before.as_deref(), revision.after.as_deref());
            }
            let writing = Writing {
                rev: revision.map(|revision| revision.rev).filter(|rev| *rev > 0),
                written: revision.is_some(),
                notified: effect.notified,
                replicas: revision.and(replicas),
                unrecorded: effect.unrecorded.clone(),
            };
            Some(FlagWritten { impact, writing: Some(writing) })
        };
        effects.iter().filter_map(of).collect()
    }

    /// All warnings; of several flags with their names.
    pub fn warnings(&self) -> Vec<String> {
        let several = self.impacts.len() > 1;
        let warnings = self.impacts.iter().flat_map(|impact| {
            let named = move |warning: &String| match several {
                true => format!("flag `{}`: {warning}", impact.flag),
                false => warning.clone(),
            };
            impact.warnings.iter().map(named)
        });
        warnings.collect()
    }

    /// In words, that there is nothing to do.
    pub fn as_it_is(&self) -> String {
        match self.impacts.as_slice() {
            [] => "no flag is left to change".to_owned(),
            [one] => format!("flag `{}` is so already", one.flag),
            all => format!("all {} flags are so already", all.len()),
        }
    }
}

/// The change in one line, for the question and the audit log.
pub fn summary(action: &str, targets: &[FlagUpdate]) -> String {
    let verb = match action {
        "flag.kill" => "kill",
        "flag.enable" => "enable",
        "flag.disable" => "disable",
        "flag.undo" => "restore",
        "flag.import" => "import",
        "flag.promote" => "promote",
        _ => "set",
    };
    let [one] = targets else {
        let named = if targets.len() > NAMED + 2 { NAMED } else { targets.len() };
        let mut names: Vec<String> = targets[..named].iter().map(|one| format!("`{}`", one.name)).collect();
        if named < targets.len() {
            names.push(format!("and {} more", targets.len() - named));
        }
        return format!("{verb} {}: {}", count(targets.len(), "flag"), names.join(", "));
    };
    let (name, before, after) = (&one.name, one.before.as_deref(), one.after.as_deref());
    match (action, before, after) {
        ("flag.kill" | "flag.enable" | "flag.disable", ..) => format!("{verb} flag `{name}`"),
        (_, _, None) => format!("remove flag `{name}`"),
        (_, None, Some(_)) => format!("create flag `{name}`: {}", words(None, after)),
        _ => format!("{verb} flag `{name}`: {}", words(before, after)),
    }
}

/// Exact counts of users.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FlipCounts {
    turn_on: u64,
    turn_off: u64,
    stay_on: u64,
    stay_off: u64,
    unknown: u64,
}

impl FlipCounts {
    fn add(&mut self, flip: Flip) {
        let count = match flip {
            Flip::TurnsOn => &mut self.turn_on,
            Flip::TurnsOff => &mut self.turn_off,
            Flip::StaysOn => &mut self.stay_on,
            Flip::StaysOff => &mut self.stay_off,
            Flip::CannotTell => &mut self.unknown,
        };
        *count += 1;
    }

    pub fn words(&self) -> String {
        let unknown = match self.unknown {
            0 => String::new(),
            n => format!("; of {n} it is unknown"),
        };
        format!(
            "{} turn on, {} turn off, {} stay on, {} stay off{unknown}",
            self.turn_on, self.turn_off, self.stay_on, self.stay_off
        )
    }
}

/// A flag before and after, read once for many users.
pub struct BeforeAfter<'a> {
    name: &'a FlagName,
    before: Option<Flag>,
    after: Option<Flag>,
}

impl<'a> BeforeAfter<'a> {
    fn of(target: &'a FlagUpdate) -> Self {
        let read = |bytes: &Option<Vec<u8>>| Flag::read(bytes.as_deref()?).ok();
        Self { name: &target.name, before: read(&target.before), after: read(&target.after) }
    }

    fn flip(&self, reader: Reader, user: &User) -> Flip {
        flip(self.before.as_ref(), self.after.as_ref(), self.name, reader, user)
    }
}

impl FlagImpact {
    fn of(target: &FlagUpdate, reader: Reader) -> Self {
        let (before, after) = (target.before.as_deref(), target.after.as_deref());
        let read = |bytes: Option<&[u8]>| bytes.and_then(|bytes| Flag::read(bytes).ok());
        let (old, new) = (read(before), read(after));
        let mut warnings = target.said.clone();
        if before.is_some() && old.is_none() {
            warnings.push(
                "it is no valid JSON: nothing of it can be kept but its name; the history has its bytes".to_owned(),
            );
        }
        if after.is_some() && new.is_none() {
            warnings.push("what comes back is no valid JSON: readers fail on it".to_owned());
        }
        let who = AudienceCheck { name: &target.name, reader };
        if target.changes() {
            warnings.extend(who.without_id(old.as_ref(), new.as_ref()));
        }
        if let Some(new) = new.as_ref().filter(|flag| flag.enabled()) {
            warnings.extend(who.behind_the_gate(new));
        }
        if let Some(after) = after {
            warnings.extend(who.found(before, after));
        }
        let reach = |flag: &Option<Flag>| {
            let flag = flag.as_ref()?;
            Some(audience(Some(flag), &target.name, reader))
        };
        Self {
            audience_before: reach(&old),
            audience_after: reach(&new),
            flag: target.name.clone(),
            created: before.is_none() && after.is_some(),
            removed: before.is_some() && after.is_none(),
            rev_before: old.as_ref().and_then(Flag::rev),
            still_off: target.changes()
                && [&old, &new].iter().all(|flag| flag.as_ref().is_some_and(|one| !one.enabled())),
            changes: deltas(before, after),
            users: None,
            warnings,
        }
    }

    /// Does nothing change?
    pub fn is_still(&self) -> bool {
        self.changes.is_empty() && !self.created && !self.removed && self.audience_before == self.audience_after
    }
}

/// Questions about whom a flag hits.
pub struct AudienceCheck<'a> {
    name: &'a FlagName,
    reader: Reader,
}

impl AudienceCheck<'_> {
    fn evaluate(&self, flag: Option<&Flag>, id: &str) -> Evaluation {
        evaluate(flag, self.name, self.reader, &User::new(id))
    }

    /// Users without an id are one user for the reader: they switch together.
    fn without_id(&self, old: Option<&Flag>, new: Option<&Flag>) -> Option<String> {
        let (was, is) = (self.evaluate(old, "").answer, self.evaluate(new, ""));
        let now = is.answer;
        let known = [was, now].iter().all(|answer| *answer != Answer::CannotTell);
        // Where everybody switches, nobody needs to be told of some.
        let everybody = |flag: Option<&Flag>| flag.is_none_or(|flag| !flag.enabled() || flag.gate() >= 100.0);
        if !known || was == now || (everybody(old) && everybody(new)) {
            return None;
        }
        Some(format!(
            "all users without an id are switched {} at once: for the reader each of them is `{ANONYMOUS}`, bucket {}",
            now.word(),
            self.shown(&is)
        ))
    }

    fn shown(&self, evaluation: &Evaluation) -> String {
        match self.reader {
            Reader::LegacyV1 => evaluation.bucket.to_string(),
            Reader::V2 => format!("{:.3}", f64::from(evaluation.bucket) / 1000.0),
        }
    }

    /// Who is in the allowlist, and off all the same.
    fn behind_the_gate(&self, flag: &Flag) -> Option<String> {
        let ids = flag.allowlist().ids();
        let off = ids.iter().filter_map(|id| {
            let seen = self.evaluate(Some(flag), id);
            let gated = seen.answer == Answer::Off && seen.decided_by == StepName::Percentage;
            gated.then(|| match seen.on_from {
                Some(from) => format!("{id} (bucket {}, on from {from} %)", seen.bucket),
                None => format!("{id} (bucket {})", seen.bucket),
            })
        });
        let off: Vec<String> = off.collect();
        if off.is_empty() {
            return None;
        }
        Some(format!("in the allowlist, and off: the percentage comes before it: {}", named(&off)))
    }

    /// What the lint says of the flag as it will be. What is not worse than before, and hits nobody, is not repeated.
    fn found(&self, before: Option<&[u8]>, after: &[u8]) -> Vec<String> {
        let lint = |bytes| lint(self.name, bytes, self.reader, LintContext::default());
        let known: Vec<Finding> = before.map(lint).unwrap_or_default();
        let says = |finding: &Finding| match finding.code {
            // Said here in other words.
            "E01" | "W10" | "W15" => false,
            "E06" | "W11" | "W12" => true,
            _ => !known.contains(finding),
        };
        let found = lint(after).into_iter().filter(says);
        found.map(|finding| format!("{} ({})", finding.message, finding.code)).collect()
    }
}

/// Whom a flag reaches, in words: listed users are too few to move a share, and are counted.
pub fn whom(reach: Option<&Audience>) -> String {
    let Some(reach) = reach else {
        return "nobody".into();
    };
    let percent = |share: f64| Percent::from_thousandths((share * 100_000.0).round() as u32);
    let (least, most) = (percent(reach.at_least), percent(reach.at_most));
    match (least, most) {
        _ if reach.uncertain => format!("unknown; {most} % at most"),
        (Percent::NOBODY, Percent::NOBODY) => listed(reach.let_in.len()),
        (Percent::ALL, _) => "everybody".into(),
        _ if least == most => format!("about {most} % of users"),
        _ => format!("{least} to {most} % of users, as rules say"),
    }
}

pub fn listed(n: usize) -> String {
    if n == 0 { "nobody".into() } else { count(n, "listed user") }
}

pub fn named(all: &[String]) -> String {
    let shown: Vec<&str> = all.iter().take(NAMED).map(String::as_str).collect();
    let mut text = shown.join(", ");
    if all.len() > NAMED {
        text.push_str(&format!(" and {} more", all.len() - NAMED));
    }
    text
}
