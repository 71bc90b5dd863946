//! What the simulated game is made of, as tables: regions, game modes, routes, goods and the
//! machine it runs on. Only constants; how they move in time is in `rates`.

/// Concurrent players on average, and the offset of the region's clocks from UTC in hours.
pub struct Region {
    pub name: &'static str,
    pub players: f64,
    pub utc_offset: f64,
    /// The middle of the players' network latency, in milliseconds.
    pub latency_ms: f64,
}

#[rustfmt::skip]
pub const REGIONS: [Region; 4] = [
    Region { name: "eu", players: 4_200.0, utc_offset: 1.0, latency_ms: 24.0 },
    Region { name: "us", players: 3_900.0, utc_offset: -6.0, latency_ms: 31.0 },
    Region { name: "ap", players: 2_600.0, utc_offset: 8.0, latency_ms: 46.0 },
    Region { name: "sa", players: 1_300.0, utc_offset: -3.0, latency_ms: 62.0 },
];

/// One way to play, and how its rooms live.
pub struct Mode {
    pub name: &'static str,
    /// The mode's share of all players, and by how much of them that share wanders.
    pub share: f64,
    pub tilt: f64,
    pub seats: u32,
    /// The shortest and the longest match, in seconds.
    pub play: (u32, u32),
    /// The most seats that bots fill.
    pub most_bots: u32,
}

#[rustfmt::skip]
pub const MODES: [Mode; 3] = [
    Mode { name: "ranked", share: 0.42, tilt: 0.03, seats: 10, play: (600, 840), most_bots: 0 },
    Mode { name: "casual", share: 0.38, tilt: -0.03, seats: 8, play: (360, 600), most_bots: 2 },
    Mode { name: "royale", share: 0.20, tilt: 0.0, seats: 40, play: (900, 1_260), most_bots: 6 },
];

/// One HTTP route: requests a second and player, and the statuses beside `200` with their shares.
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub per_player: f64,
    pub refusals: &'static [(u16, f64)],
    /// The status of this route's server errors, with their share of *all* requests and by how much
    /// that share wanders.
    pub failure: Option<(u16, f64, f64)>,
    pub median_ms: f64,
}

#[rustfmt::skip]
pub const ROUTES: [Route; 6] = [
    Route { method: "GET", path: "/api/rooms/{room_id}", per_player: 0.10, refusals: &[(404, 0.002)], failure: Some((500, 0.000_25, 0.000_06)), median_ms: 24.0 },
    Route { method: "GET", path: "/api/players/{player_id}", per_player: 0.09, refusals: &[(404, 0.003)], failure: None, median_ms: 21.0 },
    Route { method: "POST", path: "/api/sessions", per_player: 0.05, refusals: &[(401, 0.006)], failure: None, median_ms: 38.0 },
    Route { method: "GET", path: "/api/leaderboard", per_player: 0.035, refusals: &[], failure: None, median_ms: 47.0 },
    Route { method: "POST", path: "/api/matchmaking/join", per_player: 0.02, refusals: &[(409, 0.008), (429, 0.002)], failure: Some((503, 0.000_15, 0.000_05)), median_ms: 33.0 },
    Route { method: "POST", path: "/api/purchases", per_player: 0.005, refusals: &[(402, 0.012)], failure: None, median_ms: 74.0 },
];

/// What players buy, with what, and how often (a second and player).
#[rustfmt::skip]
pub const SALES: [(&str, &str, f64); 8] = [
    ("skin", "gems", 0.000_20), ("skin", "usd", 0.000_07), ("skin", "eur", 0.000_06),
    ("emote", "gems", 0.000_13), ("battle_pass", "usd", 0.000_04), ("battle_pass", "eur", 0.000_03),
    ("gem_pack", "usd", 0.000_05), ("gem_pack", "eur", 0.000_04),
];

/// The build that the service runs until a rollout.
pub const IMAGE: &str = "game-backend:4.12.1";

pub const CPU_CORES: f64 = 8.0;

pub const MEMORY_LIMIT_BYTES: f64 = 8.0 * 1024.0 * 1024.0 * 1024.0;

pub const DB_CONNECTIONS_MAX: u64 = 200;

/// The share of players who are in a room; the others are in a lobby or a queue.
pub const IN_ROOMS: f64 = 0.78;

/// Simulation workers times their ticks a second.
pub const TICKS: f64 = 64.0 * 60.0;

/// What comes before and after the match in a room: the longest wait for players, the countdown and
/// the results, in seconds.
pub const WAITING: (u32, u32) = (20, 60);

pub const COUNTDOWN: u32 = 10;

pub const RESULTS: u32 = 30;

/// The mean time between two player actions in a room, and the time between two snapshots, in
/// seconds; and the share of players who leave a match before its end.
pub const ACTION_SECONDS: u32 = 8;

pub const SNAPSHOT_SECONDS: u32 = 120;

pub const LEAVERS: f64 = 0.08;

impl Mode {
    /// How long a room of this mode lives on average, in seconds.
    pub fn mean_life(&self) -> f64 {
        let mean = |range: (u32, u32)| f64::from(range.0 + range.1) / 2.0;
        mean(WAITING) + f64::from(COUNTDOWN + RESULTS) + mean(self.play)
    }

    /// The time from one room to the next on the same slot, in seconds: no room lives longer.
    pub fn period(&self) -> u32 {
        WAITING.1 + COUNTDOWN + RESULTS + self.play.1
    }

    /// How many events a room of this mode has on average: its creation and four transitions, the
    /// players who join, leave and return, and what happens at intervals during the match.
    pub fn mean_events(&self) -> f64 {
        let play = f64::from(self.play.0 + self.play.1) / 2.0;
        let interval = |seconds: u32| play / f64::from(seconds);
        let seats = f64::from(self.seats) * (1.0 + 1.35 * LEAVERS);
        5.0 + seats + 0.96 * interval(ACTION_SECONDS) + interval(SNAPSHOT_SECONDS)
    }
}
