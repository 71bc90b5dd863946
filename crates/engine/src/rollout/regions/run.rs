//! Has each region do its task, all at once, until none has one.

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use crate::change::Done;
use crate::change::confirmed::Confirmed;
use crate::rollout::evidence::EvidenceCollector;
use crate::rollout::launch::{RunOptions, Stay, launch, new_rollout};
use crate::rollout::preflight;
use crate::rollout::preflight::GateState;
use crate::rollout::prepare::{RolloutSpec, prepare};
use crate::rollout::regions::coordinator::RegionCoordinator;
use crate::rollout::regions::{half_done, phase_list, result};
use crate::rollout::resolve::{choose, open, open_new};
use crate::rollout::resume::resume;
use crate::rollout::rollback::roll_back;
use crate::rollout::runner::ask;
use crate::rollout::watch::{RegionsWatch, Watchers};
use crate::session::Session;
use liveops_domain::change::undo::rollout::RolloutUndo;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::fleet::Fleet;
use liveops_domain::rollout::plan::Plan;
use liveops_domain::rollout::region_phase::{RegionPhase, RegionPhases, RegionTask};
use liveops_domain::rollout::row::RolloutRow;
use liveops_domain::rollout::state::{Phase, RequestKind};
use liveops_domain::text::shell::word;

/// Where the plan of a region comes from that has not begun.
pub enum PlanSource {
    /// From the command line.
    New { spec: RolloutSpec, switch: bool },
    /// From a region that has begun: what is under way keeps its rules.
    Plan(Box<Plan>),
}

/// A rollout over several regions that one process runs.
pub struct RegionalRun<'a> {
    pub cx: &'a Session,
    pub fleet: &'a Fleet,
    pub regions: &'a [Session],
    pub service: &'a str,
    pub source: PlanSource,
    pub stay: Stay,
    pub watchers: &'a dyn Watchers,
    /// The regions that have begun, as they were seen before.
    pub rows: Vec<RolloutRow>,
    /// What is asked of the regions that are under way already.
    pub request: RequestKind,
}

impl RegionalRun<'_> {
    /// Goes on until no region has anything to do.
    ///
    /// # Errors
    /// `HalfDone` when a region waits for a person, could not begin, or could not go back.
    pub async fn run(&self, phases: RegionPhases, confirmed: &Confirmed) -> Result<Done> {
        let mut screen = self.watchers.regions()?;
        let coordinator = RegionCoordinator::new(phases, self.rows.clone(), screen.is_drawn());
        self.cx.interrupts.claim(self.last_words());
        let failed = self.drive(&coordinator, &mut *screen, confirmed).await;
        screen.leave(&coordinator);
        self.cx.interrupts.unclaim();
        let phases = coordinator.phases();
        let image = match &self.source {
            PlanSource::New { spec, .. } => spec.image.clone().unwrap_or_default(),
            PlanSource::Plan(plan) => plan.image.clone(),
        };
        if let Some((_, error)) = failed.first() {
            let untouched = phases.values().all(|phase| *phase == RegionPhase::Pending);
            if untouched && failed.len() == 1 {
                let first = failed.into_iter().next();
                let error = first.map(|(region, error)| error.at(format!("region {region}")));
                return Err(error.unwrap_or_else(|| Error::internal("an error that was there is not")));
            }
            let again = match error {
                Error::HalfDone { .. } => None,
                _ => Some(self.cx.command(&format!("rollout resume {}", word(self.service)))),
            };
            let stands = result(self.fleet, self.service, &image, &phases);
            return Err(half_done(&phase_list(&stands), &failed, again));
        }
        let bad = phases.values().any(|phase| phase.is_bad());
        let undo = RolloutUndo::Rollback {
            service: self.service.to_owned(),
            image: image.clone(),
            regions: self.fleet.regions().cloned().collect(),
        };
        Ok(Done { result: result(self.fleet, self.service, &image, &phases), undo: (!bad).then(|| undo.into()) })
    }

    async fn drive(
        &self,
        coordinator: &RegionCoordinator,
        screen: &mut dyn RegionsWatch,
        confirmed: &Confirmed,
    ) -> Vec<(String, Error)> {
        let mut running = FuturesUnordered::new();
        let mut begun = BTreeSet::new();
        let mut failed = Vec::new();
        // Nothing new begins after a person has said something, or while a region waits for one.
        let mut halted = false;
        loop {
            for (region, task) in self.fleet.tasks(&coordinator.phases()) {
                let first = begun.insert((region.clone(), task == RegionTask::RollBack));
                if first && !(task == RegionTask::Start && halted) {
                    running.push(self.task(region, task, coordinator, confirmed));
                }
            }
            if running.is_empty() {
                return failed;
            }
            tokio::select! {
                Some((region, ended)) = running.next() => {
                    if let Err(error) = ended {
                        halted = true;
                        failed.push((region, error));
                    }
                }
                () = coordinator.phase_changed() => {}
                () = screen.due(coordinator) => {
                    if let Err(error) = screen.draw(coordinator) {
                        tracing::info!(%error, "the regions cannot be drawn");
                        screen.leave(coordinator);
                    }
                }
                code = self.cx.interrupts.delivered(), if !halted => {
                    halted = true;
                    screen.ask(coordinator);
                    let decision = ask(self.cx, code).await;
                    coordinator.decide(decision);
                }
            }
        }
    }

    async fn task(
        &self,
        region: String,
        task: RegionTask,
        coordinator: &RegionCoordinator,
        confirmed: &Confirmed,
    ) -> (String, Result<Done>) {
        let named = |cx: &&Session| cx.region.as_ref() == Some(&region);
        let done = match self.regions.iter().find(named) {
            Some(cx) => self.act(cx, task, coordinator, confirmed).await,
            None => Err(Error::internal("a region without a context")),
        };
        (region, done)
    }

    async fn act(
        &self,
        cx: &Session,
        task: RegionTask,
        coordinator: &RegionCoordinator,
        confirmed: &Confirmed,
    ) -> Result<Done> {
        let options = RunOptions { stay: self.stay, watchers: self.watchers, part: Some((self.fleet, coordinator)) };
        match task {
            RegionTask::Start => self.begin(cx, &options, confirmed).await,
            RegionTask::Continue => {
                let subject = open(cx, choose(cx, Some(self.service))?).await?;
                resume(cx, &subject, &options, self.request, confirmed).await
            }
            RegionTask::RollBack => {
                let subject = open(cx, choose(cx, Some(self.service))?).await?;
                let bad: Vec<String> = coordinator
                    .phases()
                    .into_iter()
                    .filter(|(_, phase)| phase.is_bad())
                    .map(|(region, _)| region)
                    .collect();
                let why = format!(
                    "rolled back because of {}, by on_region_failure: {}",
                    bad.join(", "),
                    self.fleet.on_failure.word()
                );
                let done = roll_back(cx, &subject, None, why, confirmed).await?;
                let region = cx.region.as_deref().unwrap_or_default();
                coordinator.note_phase(region, Phase::RolledBack);
                if let (true, Ok(Some(stored))) = (coordinator.is_drawn(), subject.store.load().await) {
                    coordinator.update_row(RolloutRow::held_by_us(&stored.rollout));
                }
                Ok(done)
            }
        }
    }

    /// The gates are asked again: a region's turn may come hours after the plan.
    async fn begin(&self, cx: &Session, options: &RunOptions<'_>, confirmed: &Confirmed) -> Result<Done> {
        let region = cx.region.as_deref().unwrap_or_default();
        let (subject, plan, originals, evidence, gates) = match &self.source {
            PlanSource::New { spec, switch } => {
                let prepared = Box::pin(prepare(cx, spec.clone(), *switch)).await?;
                (prepared.subject, prepared.plan, prepared.originals, prepared.evidence, prepared.gates)
            }
            PlanSource::Plan(plan) => {
                let service = choose(cx, Some(self.service))?;
                let subject = open_new(cx, service, plan.switch)?;
                let evidence = EvidenceCollector::open(cx, &subject.scope, &plan.rules)?;
                let originals = subject.target.originals().await?;
                let gates = preflight::check(cx, &subject, &plan.rules, &originals, &plan.waived).await?;
                (subject, (**plan).clone(), originals, evidence, gates)
            }
        };
        if let Some(gate) = gates.iter().find(|row| row.state == GateState::Refused) {
            return Err(Error::Refused {
                why: format!("gate {} refuses in {region}: {}", gate.gate, gate.text),
                hint: gate.hint.clone().unwrap_or_default(),
            });
        }
        let rollout = || new_rollout(cx, &subject, plan, originals);
        Box::pin(launch(cx, &subject, (rollout, evidence), options, confirmed)).await
    }

    fn last_words(&self) -> String {
        let service = word(self.service);
        format!(
            "every region is where it was; go on: `{}`, go back: `{}`",
            self.cx.command(&format!("rollout resume {service}")),
            self.cx.command(&format!("rollout abort {service} --yes"))
        )
    }
}
