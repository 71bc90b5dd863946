//! A rollout before it begins: the service, the plan, the gates.

use crate::rollout::evidence::EvidenceCollector;
use crate::rollout::preflight;
use crate::rollout::preflight::{GateRow, GateState};
use crate::rollout::resolve::{RolloutSubject, choose, open_new, rules};
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::exposure::{Originals, Percent};
use liveops_domain::rollout::plan::{Plan, Waiver};
use liveops_domain::rollout::schedule;
use liveops_domain::text::shell::word;

/// What is rolled out, and how.
#[derive(Debug, Clone, Default)]
pub struct RolloutSpec {
    /// Service [default: the one that has a `rollout` section]
    pub service: Option<String>,

    /// New version, such as registry.example/game:2.1
    pub image: Option<String>,

    /// Policy of the configuration [default: that of the service]
    pub policy: Option<String>,

    /// Shares of the traffic, rising, instead of the policy's
    pub steps: Option<String>,

    /// Take the nearest shares that whole instances can give, however far from those that were asked for
    pub allow_coarse: bool,

    /// Pass a preflight gate over; may be repeated
    pub waive: Vec<String>,

    /// Why; it is journalled
    pub reason: Option<String>,
}

/// A rollout that could begin.
pub struct Prepared<'a> {
    pub subject: RolloutSubject<'a>,
    pub plan: Plan,
    pub originals: Originals,
    pub evidence: EvidenceCollector<'a>,
    pub gates: Vec<GateRow>,
    /// Steps that come to no more here than the one before them, and are left out.
    pub merged: Vec<Percent>,
    /// What was typed of it beside service, image and policy.
    pub again: String,
}

impl RolloutSpec {
    /// What begins the rollout as it was planned has these words too.
    fn again(&self) -> String {
        let mut words = String::new();
        if let Some(steps) = &self.steps {
            words.push_str(&format!(" --steps {}", word(steps)));
        }
        if self.allow_coarse {
            words.push_str(" --allow-coarse");
        }
        for gate in &self.waive {
            words.push_str(&format!(" --waive {}", word(gate)));
        }
        if let Some(reason) = self.reason.as_ref().filter(|_| !self.waive.is_empty()) {
            words.push_str(&format!(" --reason {}", word(reason)));
        }
        words
    }
}

/// Asks for what is missing, and looks at everything.
pub async fn prepare(cx: &Session, spec: RolloutSpec, switch: bool) -> Result<Prepared<'_>> {
    let waived = preflight::waivers(&spec.waive, spec.reason.as_deref())?;
    let again = spec.again();
    let service = choose(cx, spec.service.as_deref())?;
    let (policy, mut rules) = rules(cx, service, spec.policy.as_deref())?;
    if let Some(steps) = &spec.steps {
        rules.steps = schedule::given(steps)
            .map_err(|message| Error::usage(message, "give rising percentages, such as `--steps 5,25,100`"))?;
    }
    rules.coarse = spec.allow_coarse;
    if switch {
        rules.steps = vec![Percent::FULL];
    }
    let image = match spec.image {
        Some(image) => image,
        None if cx.ask.can_ask() && !cx.choices.yes => cx.ask.text("which image is the new version?", None)?,
        None => {
            let message = format!("which version of `{}`? `--image` is missing", service.name);
            return Err(Error::usage(message, "add `--image REF`, such as `--image game:2.1`"));
        }
    };
    if image.is_empty() || image.starts_with('-') || image.contains(char::is_whitespace) {
        return Err(Error::usage(format!("`{image}` is no image"), "write it as in `kubectl set image`"));
    }
    let subject = open_new(cx, service, switch)?;
    let evidence = EvidenceCollector::open(cx, &subject.scope, &rules)?;
    if let Some(steps) = subject.target.steps().await? {
        rules.steps = steps;
    }
    let originals = subject.target.originals().await?;
    let real = |step| subject.target.effective(step, Some(&originals));
    let (steps, merged) = schedule::distinct(&rules.steps, real);
    rules.steps = steps;
    let (gates, coarse) = tokio::join!(
        Box::pin(preflight::check(cx, &subject, &rules, &originals, &waived)),
        Box::pin(evidence.coarse_conditions(cx.clock.now()))
    );
    let gates = gates?.into_iter().chain(coarse.into_iter().map(preflight::coarse)).collect::<Vec<_>>();
    let plan =
        Plan { image, policy, target: subject.target.kind().to_owned(), switch, rules, waived: used(waived, &gates) };
    Ok(Prepared { subject, plan, originals, evidence, gates, merged, again })
}

pub fn used(waived: Vec<Waiver>, gates: &[GateRow]) -> Vec<Waiver> {
    let is_used = |waiver: &Waiver| gates.iter().any(|row| row.gate == waiver.gate && row.state == GateState::Waived);
    waived.into_iter().filter(is_used).collect()
}
