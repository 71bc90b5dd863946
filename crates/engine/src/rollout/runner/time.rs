//! The time of a rollout: that of the servers which measure it. This machine's own clock goes on where the injected one
//! stands still, is corrected by what Prometheus says, and is known to have jumped where it and the time that passed do not
//! agree: a machine that slept, or was set.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::rollout::runner::Runner;
use liveops_domain::rollout::state::Phase;
use liveops_domain::text::duration;

/// What two clocks may be apart, in seconds, and be taken for the same.
const TOLERANCE: i64 = 2;

/// A clock that goes on, as the servers see it.
pub struct ServerClock {
    at: DateTime<Utc>,
    began: Instant,
    /// By how much the servers are ahead of this machine, where that is known.
    skew: Option<TimeDelta>,
}

impl ServerClock {
    pub fn new(clock: &Clock) -> Self {
        Self { at: clock.now(), began: Instant::now(), skew: None }
    }

    fn own(&self) -> DateTime<Utc> {
        self.at + TimeDelta::from_std(self.began.elapsed()).unwrap_or_default()
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.own() + self.skew.unwrap_or_default()
    }

    /// By how much this machine's clock has jumped since it was last asked; it begins anew from there.
    fn jump(&mut self, clock: &Clock) -> Option<TimeDelta> {
        let by = clock.now() - self.own();
        if clock.is_fixed() || by.num_seconds().abs() <= TOLERANCE {
            return None;
        }
        *self = Self::new(clock);
        Some(by)
    }

    /// Holds it against the servers' time, which was asked for then and is known now. By how much it was wrong, where that
    /// is more than nothing.
    fn correct(&mut self, server: DateTime<Utc>, asked: Instant) -> Option<TimeDelta> {
        let now = self.now();
        let earliest = now - TimeDelta::from_std(asked.elapsed()).unwrap_or_default();
        let off = if server < earliest { server - earliest } else { (server - now).max(TimeDelta::zero()) };
        if off.num_seconds().abs() <= TOLERANCE {
            self.skew.get_or_insert_default();
            return None;
        }
        self.skew = Some(self.skew.unwrap_or_default() + off);
        Some(off)
    }
}

/// `20s ahead`, of a clock that is so far from the servers'.
fn words(off: TimeDelta) -> String {
    let length = duration::to_promql(std::time::Duration::from_secs(off.num_seconds().unsigned_abs()));
    let side = if off < TimeDelta::zero() { "ahead of" } else { "behind" };
    format!("this machine's clock is {length} {side} that of Prometheus; the rollout goes by Prometheus'")
}

impl Runner<'_> {
    /// Takes the servers' time, before anything is judged by it. A rollout that has not begun is begun in it.
    pub async fn synchronize(&mut self) {
        let asked = Instant::now();
        let server = self.run.evidence.server_time().await;
        if let Some(off) = server.and_then(|server| self.clock.correct(server, asked)) {
            let rollout = &mut self.run.rollout;
            if rollout.phase == Phase::Planned && !rollout.touched {
                rollout.started_at += off;
                rollout.since += off;
            }
            self.tell_skew(off);
        }
    }

    fn tell_skew(&mut self, off: TimeDelta) {
        let text = words(off);
        self.run.cx.voice.warn(&text);
        self.run.rollout.note(self.clock.now(), text);
    }

    /// Has this machine slept, or was its clock set? Then nothing that was seen before holds, and the lock may be somebody
    /// else's by now.
    pub async fn wake(&mut self) {
        let Some(by) = self.clock.jump(&self.run.cx.clock) else {
            return;
        };
        self.renewed = None;
        let asked = Instant::now();
        if let Some(server) = self.run.evidence.server_time().await {
            self.clock.correct(server, asked);
        }
        let length = duration::to_promql(std::time::Duration::from_secs(by.num_seconds().unsigned_abs()));
        let text = format!("this machine slept or its clock was set ({length}): observed anew");
        self.run.cx.voice.warn(&text);
        self.run.rollout.observe_anew(&text, self.clock.now());
    }

    /// Is what was seen at a look of the time that it was taken for? If not, it is looked at anew.
    pub fn is_in_time(&mut self, server: Option<DateTime<Utc>>, asked: Instant) -> bool {
        let Some(off) = server.and_then(|server| self.clock.correct(server, asked)) else {
            return true;
        };
        self.tell_skew(off);
        self.renewed = None;
        self.run.rollout.observe_anew("the clocks moved against each other: observed anew", self.clock.now());
        false
    }
}
