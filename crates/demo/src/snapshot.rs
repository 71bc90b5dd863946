//! The numbers of one instant: the one source of both the metrics and the health API, so that the
//! two cannot disagree.

use chrono::{DateTime, Utc};

use crate::histogram::Histogram;
use crate::world::MODES;

/// Every number at one instant: what the metrics and the health API both show. Lists by mode,
/// region, route and sale are in the order of the tables in `world`.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    pub at: DateTime<Utc>,
    /// Unix seconds.
    pub start: f64,
    /// Seconds.
    pub uptime: f64,
    pub connections: u64,
    /// Region, mode and players.
    pub players: Vec<(&'static str, &'static str, u64)>,
    pub matches: [u64; MODES.len()],
    pub rooms_active: u64,
    pub matches_started: Vec<u64>,
    pub matches_ended: Vec<u64>,
    /// Seconds.
    pub ticks: Histogram,
    /// Seconds.
    pub queue: Histogram,
    /// Milliseconds.
    pub network: Vec<Histogram>,
    /// Milliseconds.
    pub websocket: Histogram,
    /// What each build answered: the stable one, and the canary as soon as there was one.
    pub tracks: Vec<Track>,
    pub purchases: Vec<u64>,
    /// In and out.
    pub messages: [u64; 2],
    /// Successes and failures.
    pub logins: [u64; 2],
    /// Hits and misses.
    pub cache: [u64; 2],
    pub events: Vec<u64>,
    pub cpu: f64,
    pub cpu_seconds: f64,
    pub memory: f64,
    pub memory_bytes: u64,
    pub db_connections: u64,
    pub queued_messages: u64,
}

/// The requests that one build answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// `stable` or `canary`.
    pub name: &'static str,
    /// By route: requests of each status, and durations in milliseconds.
    pub routes: Vec<(Vec<(u16, u64)>, Histogram)>,
}

impl Snapshot {
    /// Requests of one route and status, on all tracks.
    pub fn requests_of(&self, route: usize, status: u16) -> u64 {
        let routes = self.tracks.iter().filter_map(|track| track.routes.get(route));
        let statuses = routes.flat_map(|(statuses, _)| statuses);
        let matching = statuses.filter(|(known, _)| *known == status);
        matching.map(|(_, count)| count).sum()
    }

    fn routes(&self) -> impl Iterator<Item = &(Vec<(u16, u64)>, Histogram)> {
        self.tracks.iter().flat_map(|track| &track.routes)
    }

    /// Players in all regions and modes.
    pub fn population(&self) -> u64 {
        self.players.iter().map(|(_, _, count)| count).sum()
    }

    /// Requests whose status is in this hundred, such as 5 for server errors.
    pub fn requests_in(&self, class: u16) -> u64 {
        let statuses = self.routes().flat_map(|(statuses, _)| statuses);
        let matching = statuses.filter(|(status, _)| status / 100 == class);
        matching.map(|(_, count)| count).sum()
    }

    /// All requests.
    pub fn all_requests(&self) -> u64 {
        self.routes().map(|(_, durations)| durations.count()).sum()
    }

    /// The durations of all routes together; `None` without routes.
    pub fn durations(&self) -> Option<Histogram> {
        let durations = self.routes().map(|(_, durations)| durations.clone());
        durations.reduce(|all, one| all.plus(&one))
    }
}

/// `value` to this many decimals.
pub fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}
