//! The canary of the simulated service: which share of the requests it got and when, and how its builds behave.
//! Pure: whoever sets a weight says the time.

use chrono::{DateTime, Utc};

/// What a request may suffer in a build, as shares of the requests: what players notice, and what guards must.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Build {
    /// Successes that become `500`.
    errors: f64,
    /// Requests that take many times as long.
    slow: f64,
}

const GOOD: Build = Build { errors: 0.0, slow: 0.0 };

impl Build {
    /// An image's behaviour is in its name, so that a demonstration can choose: `…:2.1-bad` fails, `…:2.1-slow` is
    /// slow, every other one is as good as the stable build.
    fn of(image: &str) -> Self {
        Self {
            errors: if image.contains("bad") { 0.12 } else { 0.0 },
            slow: if image.contains("slow") { 0.3 } else { 0.0 },
        }
    }
}

/// A stretch of time in which a constant share of all requests met one build.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Unix seconds.
    pub from: f64,
    /// Unix seconds.
    pub to: f64,
    /// The share of all requests.
    pub share: f64,
    /// Of them: successes that become `500`.
    pub errors: f64,
    /// Of them: requests that take many times as long.
    pub slow: f64,
}

/// Since `from`, the canary gets `share` of the requests, and each track behaves as its build does.
#[derive(Clone, Copy, Debug)]
struct Turn {
    from: f64,
    share: f64,
    stable: Build,
    canary: Build,
}

/// The two builds and their history.
#[derive(Clone, Debug)]
pub struct Release {
    /// The image of the stable track.
    pub stable: String,
    /// The image of the canary, as soon as there was one.
    pub canary: Option<String>,
    /// Percent of the requests that the canary gets.
    pub weight: u8,
    /// Counts the changes: what a writer must know to make the next one.
    pub revision: u64,
    turns: Vec<Turn>,
}

impl Release {
    /// A service that runs one build alone.
    pub fn of(image: &str) -> Self {
        Self { stable: image.to_owned(), canary: None, weight: 0, revision: 1, turns: Vec::new() }
    }

    /// From `at` on, these builds and this weight hold.
    pub fn turn(&mut self, at: DateTime<Utc>, stable: String, canary: Option<String>, weight: u8) {
        let build = |image: Option<&String>| image.map_or(GOOD, |image| Build::of(image));
        self.turns.push(Turn {
            from: at.timestamp_millis() as f64 / 1_000.0,
            share: f64::from(weight) / 100.0,
            stable: build(Some(&stable)),
            canary: build(canary.as_ref()),
        });
        (self.stable, self.canary, self.weight) = (stable, canary, weight);
        self.revision += 1;
    }

    /// What the stable track served from `from` to `to` (Unix seconds).
    pub fn stable_parts(&self, from: f64, to: f64) -> Vec<Part> {
        let first = self.turns.first().map_or(to, |turn| turn.from.min(to));
        let alone = Part { from, to: first, share: 1.0, errors: 0.0, slow: 0.0 };
        let rest = self.parts(from, to, |turn| (1.0 - turn.share, turn.stable));
        std::iter::once(alone).chain(rest).collect()
    }

    /// What the canary served; `None` before the first one.
    pub fn canary_parts(&self, from: f64, to: f64) -> Option<Vec<Part>> {
        let known = self.turns.iter().any(|turn| turn.share > 0.0);
        known.then(|| self.parts(from, to, |turn| (turn.share, turn.canary)))
    }

    fn parts(&self, from: f64, to: f64, of: impl Fn(&Turn) -> (f64, Build)) -> Vec<Part> {
        let ends = self.turns.iter().skip(1).map(|turn| turn.from).chain([to]);
        let parts = self.turns.iter().zip(ends).map(|(turn, end)| {
            let (share, build) = of(turn);
            Part { from: turn.from.max(from), to: end.min(to), share, errors: build.errors, slow: build.slow }
        });
        parts.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn the_tracks_share_all_the_time_between_them() {
        let mut release = Release::of("game-backend:2.0");
        assert_eq!(release.canary_parts(0.0, 100.0), None);
        let stable = || "game-backend:2.0".to_owned();
        release.turn(time(10), stable(), Some("game-backend:2.1-bad".into()), 25);
        release.turn(time(30), stable(), Some("game-backend:2.1-bad".into()), 0);
        let canary = release.canary_parts(0.0, 100.0).unwrap();
        assert_eq!((canary[0].from, canary[0].to), (10.0, 30.0));
        assert_eq!((canary[0].share, canary[1].share), (0.25, 0.0));
        assert!(canary[0].errors > 0.0 && canary[0].slow == 0.0);
        let served: f64 = (release.stable_parts(0.0, 100.0).iter())
            .chain(&canary)
            .map(|part| (part.to - part.from) * part.share)
            .sum();
        assert_eq!(served, 100.0);
        assert_eq!(release.revision, 3);
    }

    #[test]
    fn the_past_knows_nothing_of_a_later_canary() {
        let mut release = Release::of("a:1");
        release.turn(time(50), "a:1".into(), Some("a:2".into()), 50);
        let early: Vec<Part> = release.stable_parts(0.0, 20.0);
        assert_eq!((early[0].from, early[0].to), (0.0, 20.0));
        assert!(early[1].to <= early[1].from, "{early:?}");
    }
}
