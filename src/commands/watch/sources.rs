//! The sources of the screen: each is asked by itself, again and again, and has its own age. Nobody waits for another.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use liveops_domain::error::Result;
use liveops_domain::text::count::count;
use liveops_engine::status::answers::{Answer, Answers, Part, ask};
use liveops_engine::status::report::StatusReport;
use tokio::time::{Instant, sleep_until};

use crate::commands::watch::board::Board;
use crate::commands::watch::sections::{Standing, board};
use crate::context::Context;

/// Answers that come this soon after each other make one look: sooner at the beginning, when somebody waits for them.
const TOGETHER: Duration = Duration::from_millis(250);
const AT_FIRST: Duration = Duration::from_millis(60);

/// The last look of an earlier run stays this long while not everybody has answered.
const GRACE: Duration = Duration::from_secs(1);

/// An answer that is on its way.
type Asking<'a> = LocalBoxFuture<'a, (Part, Result<Answer>)>;

/// What is watched, and what is known of it.
pub(super) struct Sources<'a> {
    cx: &'a Context,
    services: &'a [String],
    interval: Duration,
    answers: Answers,
    asking: FuturesUnordered<Asking<'a>>,
    asked: Vec<Part>,
    due: Vec<(Part, Instant)>,
    /// When the next look is put together.
    build: Option<Instant>,
    began: Instant,
    /// Is an earlier look on the screen?
    warm: bool,
}

impl<'a> Sources<'a> {
    /// Nobody is asked before somebody waits for a look.
    pub(super) fn new(cx: &'a Context, services: &'a [String], interval: Duration, warm: bool) -> Self {
        let now = Instant::now();
        Self {
            cx,
            services,
            interval,
            answers: Answers::default(),
            asking: FuturesUnordered::new(),
            asked: Vec::new(),
            due: Part::ALL.map(|part| (part, now)).into(),
            build: None,
            began: now,
            warm,
        }
    }

    /// Waits for the next look. May be dropped and called again at any time.
    pub(super) async fn look(&mut self, paused: bool) -> Result<Board> {
        loop {
            let now = Instant::now();
            let due = self.due.iter().map(|(_, at)| *at).min().filter(|_| !paused);
            let build = self.build;
            tokio::select! {
                Some((part, answer)) = self.asking.next(), if !self.asking.is_empty() => self.arrived(part, answer?),
                () = sleep_until(due.unwrap_or(now)), if due.is_some() => self.ask_due()?,
                () = sleep_until(build.unwrap_or(now)), if build.is_some() => {
                    self.build = None;
                    return self.board();
                }
                // Paused, and nothing is on its way.
                () = std::future::pending() => {}
            }
        }
    }

    /// Asks everybody now who is not being asked.
    pub(super) fn refresh(&mut self) {
        let now = Instant::now();
        self.due.iter_mut().for_each(|(_, at)| *at = now);
    }

    /// What was on its way while the program stood still is asked again.
    pub(super) fn restart(&mut self) {
        self.asking = FuturesUnordered::new();
        self.asked.clear();
        let now = Instant::now();
        self.due = Part::ALL.map(|part| (part, now)).into();
    }

    fn ask_due(&mut self) -> Result<()> {
        let now = Instant::now();
        let (due, later) = self.due.drain(..).partition(|(_, at)| *at <= now);
        self.due = later;
        self.cx.http()?.restart();
        // Who has not answered since the last time grows old on the screen.
        if !self.asked.is_empty() {
            self.build_by(now + self.together());
        }
        for (part, _) in due {
            self.ask(part);
        }
        Ok(())
    }

    fn ask(&mut self, part: Part) {
        let (cx, services) = (self.cx, self.services);
        self.asked.push(part);
        self.asking.push(Box::pin(async move { (part, ask(part, services, cx).await) }));
    }

    fn arrived(&mut self, part: Part, answer: Answer) {
        self.answers.put(answer, self.cx.clock.now());
        self.asked.retain(|known| *known != part);
        let now = Instant::now();
        if part != Part::Suspects {
            // All on one beat, so that their answers make one look.
            let beat = self.interval.as_micros().max(1);
            let beats = u32::try_from((now - self.began).as_micros() / beat).unwrap_or(u32::MAX - 1) + 1;
            self.due.push((part, self.began + self.interval * beats));
        }
        let may_be_bad = matches!(part, Part::Kpis | Part::Alerts);
        if may_be_bad && self.answers.is_bad() && !self.asked.contains(&Part::Suspects) {
            self.ask(Part::Suspects);
        }
        let missing = !self.answers.missing().is_empty();
        let wait = if missing && self.warm { GRACE.saturating_sub(now - self.began) } else { Duration::ZERO };
        self.build_by(now + wait.max(self.together()));
    }

    fn together(&self) -> Duration {
        if self.began.elapsed() < 2 * GRACE { AT_FIRST } else { TOGETHER }
    }

    fn build_by(&mut self, at: Instant) {
        self.build = Some(self.build.map_or(at, |known| known.min(at)));
    }

    fn board(&self) -> Result<Board> {
        let cx = self.cx;
        let report = StatusReport::new(self.answers.gathered(self.services, cx)?, cx)?;
        let now = cx.clock.now();
        let old = chrono::TimeDelta::from_std(self.interval * 2 + GRACE).unwrap_or(chrono::TimeDelta::MAX);
        let late = Part::ALL.into_iter().filter_map(|part| Some((part, self.answers.time(part)?)));
        let late = late.filter(|(_, at)| now - *at > old).collect();
        let board = board(&report, &cx.output.view(now), &Standing { missing: self.answers.missing(), late });
        // With the addresses that were typed, so that it runs elsewhere, too.
        let next = board.next.map(|next| cx.command(next.trim_start_matches("liveops ")));
        Ok(Board { next, ..board })
    }
}

/// `KPIs and alerts`, `KPIs, alerts and 2 more`.
pub(super) fn names(parts: &[Part]) -> String {
    let labels: Vec<&str> = parts.iter().map(|part| part.label()).collect();
    match labels.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, two] => format!("{one} and {two}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {}", count(rest.len(), "more source")),
    }
}
