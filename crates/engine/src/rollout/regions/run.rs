//! Has each region do its task, all at once, until none has one.

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;

use crate::change::Done;
use crate::change::confirmed::Confirmed;
use crate::rollout::evidence::Eyes;
use crate::rollout::launch::{How, Stay, launch};
use crate::rollout::preflight;
use crate::rollout::preflight::GateState;
use crate::rollout::prepare::{Request, prepare};
use crate::rollout::regions::coordinator::Board;
use crate::rollout::regions::{half_done, result, stood};
use crate::rollout::resolve::{choose, fresh, place};
use crate::rollout::rollback::go_back;
use crate::rollout::runner::ask;
use crate::rollout::steer::carry_on;
use crate::rollout::watch::{RegionsWatch, Watchers};
use crate::session::Session;
use liveops_domain::change::undo::rollout::RolloutUndo;
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::fleet::Fleet;
use liveops_domain::rollout::plan::Plan;
use liveops_domain::rollout::row::RolloutRow;
use liveops_domain::rollout::standing::{Standing, Standings, Task};
use liveops_domain::rollout::state::{Phase, WishKind};
use liveops_domain::text::shell::word;

/// Where the plan of a region comes from that has not begun.
pub enum Origin {
    /// From the command line.
    New { what: Request, switch: bool },
    /// From a region that has begun: what is under way keeps its rules.
    Plan(Box<Plan>),
}

/// The whole, in the hand of one process.
pub struct Drive<'a> {
    pub cx: &'a Session,
    pub fleet: &'a Fleet,
    pub regions: &'a [Session],
    pub service: &'a str,
    pub origin: Origin,
    pub stay: Stay,
    pub watchers: &'a dyn Watchers,
    /// The regions that have begun, as they were seen before.
    pub seen: Vec<RolloutRow>,
    /// What is asked of the regions that are under way already.
    pub wish: WishKind,
}

type Doing<'f> = LocalBoxFuture<'f, (String, Result<Done>)>;

impl Drive<'_> {
    /// Goes on until no region has anything to do.
    ///
    /// # Errors
    /// `HalfDone` when a region waits for a person, could not begin, or could not go back.
    pub async fn run(&self, standings: Standings, confirmed: &Confirmed) -> Result<Done> {
        let mut picture = self.watchers.regions()?;
        let board = Board::new(standings, self.seen.clone(), picture.is_drawn());
        self.cx.interrupts.claim(self.last_words());
        let failed = self.drive(&board, &mut *picture, confirmed).await;
        picture.leave(&board);
        self.cx.interrupts.unclaim();
        let standings = board.standings();
        let image = match &self.origin {
            Origin::New { what, .. } => what.image.clone().unwrap_or_default(),
            Origin::Plan(plan) => plan.image.clone(),
        };
        if let Some((_, error)) = failed.first() {
            let untouched = standings.values().all(|standing| *standing == Standing::Pending);
            if untouched && failed.len() == 1 {
                let first = failed.into_iter().next();
                let error = first.map(|(region, error)| error.at(format!("region {region}")));
                return Err(error.unwrap_or_else(|| Error::internal("an error that was there is not")));
            }
            let again = match error {
                Error::HalfDone { .. } => None,
                _ => Some(self.cx.command(&format!("rollout resume {}", word(self.service)))),
            };
            let stands = result(self.fleet, self.service, &image, &standings);
            return Err(half_done(&stood(&stands), &failed, again));
        }
        let bad = standings.values().any(|standing| standing.is_bad());
        let undo = RolloutUndo::Rollback {
            service: self.service.to_owned(),
            image: image.clone(),
            regions: self.fleet.regions().cloned().collect(),
        };
        Ok(Done { result: result(self.fleet, self.service, &image, &standings), undo: (!bad).then(|| undo.into()) })
    }

    async fn drive(
        &self,
        board: &Board,
        picture: &mut dyn RegionsWatch,
        confirmed: &Confirmed,
    ) -> Vec<(String, Error)> {
        let mut running: FuturesUnordered<Doing<'_>> = FuturesUnordered::new();
        let mut begun = BTreeSet::new();
        let mut failed = Vec::new();
        // Nothing new begins after a person has said something, or while a region waits for one.
        let mut halted = false;
        loop {
            for (region, task) in self.fleet.tasks(&board.standings()) {
                let first = begun.insert((region.clone(), task == Task::TakeBack));
                if first && !(task == Task::Begin && halted) {
                    running.push(self.task(region, task, board, confirmed));
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
                () = board.changed() => {}
                () = picture.due(board) => {
                    if let Err(error) = picture.draw(board) {
                        tracing::info!(%error, "the regions cannot be drawn");
                        picture.leave(board);
                    }
                }
                code = self.cx.interrupts.delivered(), if !halted => {
                    halted = true;
                    picture.leave(board);
                    let said = ask(self.cx, code).await;
                    board.say(said);
                }
            }
        }
    }

    fn task<'f>(&'f self, region: String, task: Task, board: &'f Board, confirmed: &'f Confirmed) -> Doing<'f> {
        Box::pin(async move {
            let named = |cx: &&Session| cx.region.as_ref() == Some(&region);
            let done = match self.regions.iter().find(named) {
                Some(cx) => self.act(cx, task, board, confirmed).await,
                None => Err(Error::internal("a region without a context")),
            };
            (region, done)
        })
    }

    async fn act(&self, cx: &Session, task: Task, board: &Board, confirmed: &Confirmed) -> Result<Done> {
        let how = How { stay: self.stay, watchers: self.watchers, part: Some((self.fleet, board)) };
        match task {
            Task::Begin => self.begin(cx, &how, confirmed).await,
            Task::GoOn => {
                let place = place(cx, choose(cx, Some(self.service))?).await?;
                carry_on(cx, &place, &how, self.wish, confirmed).await
            }
            Task::TakeBack => {
                let place = place(cx, choose(cx, Some(self.service))?).await?;
                let bad: Vec<String> = board
                    .standings()
                    .into_iter()
                    .filter(|(_, standing)| standing.is_bad())
                    .map(|(region, _)| region)
                    .collect();
                let why = format!(
                    "taken back because of {}, by on_region_failure: {}",
                    bad.join(", "),
                    self.fleet.on_failure.word()
                );
                let done = go_back(cx, &place, None, why, confirmed).await?;
                let region = cx.region.as_deref().unwrap_or_default();
                board.note(region, Phase::RolledBack);
                if let (true, Ok(Some(stored))) = (board.is_drawn(), place.memory.load().await) {
                    board.picture(RolloutRow::held_by_us(&stored.rollout));
                }
                Ok(done)
            }
        }
    }

    /// The gates are asked again: a region's turn may come hours after the plan.
    async fn begin(&self, cx: &Session, how: &How<'_>, confirmed: &Confirmed) -> Result<Done> {
        let region = cx.region.as_deref().unwrap_or_default();
        let (place, plan, originals, eyes, gates) = match &self.origin {
            Origin::New { what, switch } => {
                let prepared = prepare(cx, what.clone(), *switch).await?;
                (prepared.place, prepared.plan, prepared.originals, prepared.eyes, prepared.gates)
            }
            Origin::Plan(plan) => {
                let service = choose(cx, Some(self.service))?;
                let place = fresh(cx, service, plan.switch)?;
                let eyes = Eyes::open(cx, &place.scene, &plan.rules)?;
                let originals = place.target.originals().await?;
                let gates = preflight::check(cx, &place, &plan.rules, &originals, &plan.waived).await?;
                (place, (**plan).clone(), originals, eyes, gates)
            }
        };
        if let Some(gate) = gates.iter().find(|row| row.state == GateState::Refused) {
            return Err(Error::Refused {
                why: format!("gate {} refuses in {region}: {}", gate.gate, gate.text),
                hint: gate.hint.clone().unwrap_or_default(),
            });
        }
        launch(cx, &place, (plan, originals, eyes), how, confirmed).await
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
