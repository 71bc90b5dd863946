//! Everything for one screen: services, KPIs, alerts, targets. Once, where the slowest answer is the whole wait; or part
//! by part, for a screen that stays.

pub mod answers;
mod headline;
pub mod judge;
pub mod past;
mod records;
pub mod report;

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::incident::summary::IncidentSummary;
use crate::session::Session;
use crate::slo::status::SloStatus;
use crate::status::answers::{Answers, Part};
use liveops_domain::change::record::ChangeRecord;
use liveops_domain::change::timeline::rank::Suspect;
use liveops_domain::error::Result;
use liveops_domain::rollout::overview::RolloutOverview;
use liveops_domain::status::Readings;
use liveops_domain::status::source::{Recommendation, Source};

/// Everything that was gathered.
pub struct Gathered {
    pub readings: Readings,
    pub sources: Vec<Source>,
    pub warnings: Vec<String>,
    /// Somebody should know the alerts.
    pub alerts_expected: bool,
    /// Prometheus should know its targets, and does not answer.
    pub targets_expected: bool,
    /// The KPIs are presets, since none is configured: those without data are left out.
    pub presets: bool,
    /// What was changed in the last hour, through this liveops or, of flags, through any; the newest first.
    pub changes: Vec<ChangeRecord>,
    /// What may have done it, where something is wrong; as `triage` and `changes` have it.
    pub suspects: Vec<Suspect>,
    /// The incidents that are open, the worst first.
    pub incidents: Vec<IncidentSummary>,
    /// The postmortem that is due first, with its command.
    pub postmortem: Option<Recommendation>,
    /// Rollouts that are not over, and where it is not known whether there is one.
    pub rollouts: RolloutOverview,
    /// How the objectives stand.
    pub slos: Vec<SloStatus>,
    pub took: Duration,
}

/// Asks everything at once; of these services only, where any are named. What an earlier look knew fills the gaps.
pub async fn gather(only: &[String], cx: &Session, answers: &mut Answers) -> Result<Gathered> {
    let began = Instant::now();
    cx.http()?.restart();
    for answer in join_all(Part::ALL.map(|part| answers::ask(part, only, cx))).await {
        answers.put(answer?, cx.clock.now());
    }
    if answers.is_bad() {
        answers.put(answers::ask(Part::Suspects, only, cx).await?, cx.clock.now());
    }
    Ok(Gathered { took: began.elapsed(), ..answers.gathered(only, cx)? })
}

/// Everything that the status screen shows, of all services.
pub async fn gather_all(cx: &Session) -> Result<Gathered> {
    gather(&[], cx, &mut Answers::default()).await
}
