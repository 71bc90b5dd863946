//! How fast everything happens in the simulated game, and where each gauge stands, as functions of
//! time. Players drive almost all of it, so the numbers move together as a real service's do.

use crate::crowd::Crowd;
use crate::flow::{DAY, Flow};
use crate::histogram::{Histogram, Mixture, Spread, whole};
use crate::release::Part;
use crate::world::{IN_ROOMS, MODES, Mode, REGIONS, ROUTES, Region, Route, SALES, TICKS};

const TICK_BOUNDS: &[f64] = &[0.001, 0.005, 0.01, 0.016, 0.033, 0.05, 0.1];

const QUEUE_BOUNDS: &[f64] = &[5.0, 15.0, 30.0, 60.0, 120.0, 300.0];

const NETWORK_BOUNDS: &[f64] = &[10.0, 20.0, 30.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 500.0];

const WEBSOCKET_BOUNDS: &[f64] = &[5.0, 10.0, 20.0, 30.0, 50.0, 75.0, 100.0, 200.0, 500.0];

const REQUEST_BOUNDS: &[f64] = &[5.0, 10.0, 25.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_500.0];

/// How ticks spread over [`TICK_BOUNDS`] while the loop keeps up, and when it does not.
const USUAL_TICK: [f64; 7] = [0.02, 0.46, 0.93, 1.0, 1.0, 1.0, 1.0];

const SLOW_TICK: [f64; 7] = [0.0, 0.0, 0.0, 0.0, 0.985, 0.998, 0.999_9];

/// Every rate (a second) and every gauge.
#[derive(Clone, Debug)]
pub struct Rates {
    /// Players by region, in the order of [`REGIONS`], and of all regions.
    pub players: Vec<Flow>,
    pub population: Flow,
    /// Each mode's share of the players, in the order of [`MODES`]; together one.
    pub mode_shares: Vec<Flow>,
    /// Matches that start, by mode.
    pub matches: Vec<Flow>,
    pub ticks: Mixture,
    pub queue: Mixture,
    /// By region.
    pub network: Vec<Mixture>,
    pub websocket: Mixture,
    /// By route.
    pub requests: Vec<Requests>,
    /// In the order of [`SALES`].
    pub purchases: Vec<Flow>,
    /// WebSocket messages in and out.
    pub messages: [Flow; 2],
    /// Logins that succeed and that fail.
    pub logins: [Flow; 2],
    /// Look-ups in the cache that hit and that miss.
    pub cache: [Flow; 2],
    /// Game events stored, by mode.
    pub events: Vec<Flow>,
    /// The share of all cores in use.
    pub cpu: Flow,
    /// The share of the memory limit in use.
    pub memory: Flow,
    pub db_connections: Flow,
    pub queued_messages: Flow,
}

/// The requests of one route.
#[derive(Clone, Debug)]
pub struct Requests {
    /// By status, the successes first.
    statuses: Vec<(u16, Flow)>,
    /// Milliseconds.
    durations: Mixture,
    /// How the durations of a slow build spread.
    slow: Spread,
}

impl Requests {
    /// What one track answered in its parts: requests of each status, and durations in milliseconds.
    pub fn answered(&self, parts: &[Part]) -> (Vec<(u16, u64)>, Histogram) {
        let sum = |flow: &Flow, of: fn(&Part) -> f64| {
            let counts = parts.iter().map(|part| of(part) * flow.total(part.from, part.to));
            counts.sum::<f64>()
        };
        let mut counts: Vec<(u16, f64)> = Vec::new();
        for (index, (status, flow)) in self.statuses.iter().enumerate() {
            if index == 0 {
                counts.push((*status, sum(flow, |part| part.share * (1.0 - part.errors))));
                let failed = sum(flow, |part| part.share * part.errors);
                if failed > 0.0 {
                    counts.push((500, failed));
                }
                continue;
            }
            let count = sum(flow, |part| part.share);
            match counts.iter_mut().find(|(known, _)| known == status) {
                Some((_, own)) => *own += count,
                None => counts.push((*status, count)),
            }
        }
        let counts: Vec<(u16, u64)> = (counts.into_iter()).map(|(status, count)| (status, whole(count))).collect();
        let all = counts.iter().map(|(_, count)| count).sum();
        let durations = self.durations.observed_in(parts, &self.slow);
        (counts, durations.with_count(all))
    }
}

impl Rates {
    pub fn new(seed: u64) -> Self {
        let rng = &mut fastrand::Rng::with_seed(seed);
        let players: Vec<Flow> = REGIONS.iter().map(|region| curve(region, rng)).collect();
        let population = players.iter().fold(Flow::constant(0.0), Flow::plus);
        let crowd = Crowd { mean: population.mean(), population };
        let tilt = Flow::noise(rng);
        let mode_shares: Vec<Flow> =
            MODES.iter().map(|mode| Flow::constant(mode.share).plus(&tilt.scaled(mode.tilt))).collect();
        Self {
            matches: crowd.by_mode(room_rate),
            ticks: ticks(&crowd, rng),
            queue: queue(&crowd, rng),
            network: (REGIONS.iter().zip(&players)).map(|(region, players)| network(region, players)).collect(),
            websocket: Mixture {
                bounds: WEBSOCKET_BOUNDS,
                streams: vec![
                    crowd.stream(0.19, 0.02, rng, Spread::log_logistic(WEBSOCKET_BOUNDS, 16.0, 3.4)),
                    crowd.stream(0.01, 0.3, rng, Spread::log_logistic(WEBSOCKET_BOUNDS, 34.0, 4.0)),
                ],
            },
            requests: (ROUTES.iter()).map(|route| requests(route, &crowd, rng)).collect(),
            purchases: (SALES.iter()).map(|&(_, _, rate)| crowd.flow(rate, 0.15, rng)).collect(),
            messages: [crowd.flow(4.0, 0.01, rng), crowd.flow(9.5, 0.01, rng)],
            logins: [crowd.flow(0.000_9, 0.1, rng), crowd.flow(0.000_02, 0.2, rng)],
            cache: [crowd.flow(0.42, 0.02, rng), crowd.flow(0.025, 0.1, rng)],
            events: crowd.by_mode(|mode| room_rate(mode) * mode.mean_events()),
            cpu: Flow::constant(0.35).plus(&crowd.share(0.12)).plus(&Flow::noise(rng).scaled(0.02)),
            memory: Flow::constant(0.58).plus(&crowd.share(0.03)).plus(&Flow::noise(rng).scaled(0.008)),
            db_connections: Flow::constant(20.0).plus(&crowd.share(54.0)).plus(&Flow::noise(rng).scaled(6.0)),
            queued_messages: crowd.flow(0.002, 0.3, rng),
            population: crowd.population,
            players,
            mode_shares,
        }
    }
}

/// Rooms that open, a second and player of the mode.
fn room_rate(mode: &Mode) -> f64 {
    IN_ROOMS / f64::from(mode.seats) / mode.mean_life()
}

/// A region's players over the day: most at half past eight in the evening of its own clocks, a
/// plateau in the morning, a little more at the weekend.
fn curve(region: &Region, rng: &mut fastrand::Rng) -> Flow {
    /// Noon of Saturday 3 January 1970, in Unix seconds.
    const WEEKEND: f64 = 2.5 * DAY;
    let evening = (20.5 - region.utc_offset) * 3_600.0;
    Flow::constant(1.0)
        .wave(0.38, DAY, evening)
        .wave(0.11, DAY / 2.0, evening)
        .wave(0.05, 7.0 * DAY, WEEKEND)
        .plus(&Flow::noise(rng).scaled(0.05))
        .scaled(region.players)
}

/// Slow ticks are a little more than one in a hundred, and never many more: the 99th percentile
/// stays inside the bucket from 16 to 33 ms, in its lower part.
fn ticks(crowd: &Crowd, rng: &mut fastrand::Rng) -> Mixture {
    let slow = Flow::constant(0.011 * TICKS)
        .plus(&crowd.share(0.000_4 * TICKS))
        .plus(&Flow::noise(rng).scaled(0.000_3 * TICKS));
    let usual = Flow::constant(TICKS).plus(&slow.scaled(-1.0));
    Mixture {
        bounds: TICK_BOUNDS,
        streams: vec![(usual, Spread::table(&USUAL_TICK, 0.005_9)), (slow, Spread::table(&SLOW_TICK, 0.021_3))],
    }
}

fn queue(crowd: &Crowd, rng: &mut fastrand::Rng) -> Mixture {
    let usual = Spread::log_logistic(QUEUE_BOUNDS, 9.0, 2.8);
    let slow = Spread::log_logistic(QUEUE_BOUNDS, 34.0, 6.0);
    Mixture {
        bounds: QUEUE_BOUNDS,
        streams: vec![crowd.stream(0.002_4, 0.05, rng, usual), crowd.stream(0.000_06, 0.3, rng, slow)],
    }
}

fn network(region: &Region, players: &Flow) -> Mixture {
    let spread = Spread::log_logistic(NETWORK_BOUNDS, region.latency_ms, 3.6);
    Mixture { bounds: NETWORK_BOUNDS, streams: vec![(players.scaled(0.2), spread)] }
}

fn requests(route: &Route, crowd: &Crowd, rng: &mut fastrand::Rng) -> Requests {
    let rate = route.per_player;
    let all = crowd.flow(rate, 0.03, rng);
    let mut others: Vec<(u16, Flow)> =
        (route.refusals.iter()).map(|&(status, share)| (status, crowd.flow(rate * share, 0.1, rng))).collect();
    if let Some((status, share, swing)) = route.failure {
        let of_all: f64 = ROUTES.iter().map(|route| route.per_player).sum();
        others.push((status, crowd.flow(of_all * share, swing / share, rng)));
    }
    let success = (others.iter()).fold(all.clone(), |left, (_, flow)| left.plus(&flow.scaled(-1.0)));
    let mut statuses = vec![(200, success)];
    statuses.extend(others);

    let slow = crowd.flow(rate * 0.03, 0.2, rng);
    let durations = Mixture {
        bounds: REQUEST_BOUNDS,
        streams: vec![
            (all.plus(&slow.scaled(-1.0)), Spread::log_logistic(REQUEST_BOUNDS, route.median_ms, 2.5)),
            (slow, Spread::log_logistic(REQUEST_BOUNDS, 4.0 * route.median_ms, 3.0)),
        ],
    };
    Requests { statuses, durations, slow: Spread::log_logistic(REQUEST_BOUNDS, 12.0 * route.median_ms, 3.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixtures(rates: &Rates) -> Vec<&Mixture> {
        let mut all = vec![&rates.ticks, &rates.queue, &rates.websocket];
        all.extend(&rates.network);
        all.extend(rates.requests.iter().map(|route| &route.durations));
        all
    }

    #[test]
    fn no_rate_and_no_gauge_is_ever_negative() {
        for seed in 0..20 {
            let rates = Rates::new(seed);
            let mut flows: Vec<&Flow> =
                [&rates.players, &rates.mode_shares, &rates.matches, &rates.purchases, &rates.events]
                    .into_iter()
                    .flatten()
                    .collect();
            flows.extend(rates.messages.iter().chain(&rates.logins).chain(&rates.cache));
            flows.extend([&rates.cpu, &rates.memory, &rates.db_connections]);
            flows.extend([&rates.population, &rates.queued_messages]);
            let statuses = rates.requests.iter().flat_map(|route| &route.statuses);
            flows.extend(statuses.map(|(_, flow)| flow));
            let streams = mixtures(&rates).into_iter().flat_map(|mixture| &mixture.streams);
            flows.extend(streams.map(|(flow, _)| flow));
            for flow in flows {
                assert!(flow.least() >= 0.0, "seed {seed}: {flow:?}");
            }
        }
    }

    #[test]
    fn shares_of_the_machine_stay_below_one() {
        let rates = Rates::new(7);
        assert!(rates.cpu.most() < 0.6 && rates.memory.most() < 0.7);
        let shares: f64 = rates.mode_shares.iter().map(|share| share.at(1e9)).sum();
        assert!((shares - 1.0).abs() < 1e-9);
    }

    #[test]
    fn each_region_is_fullest_in_its_own_evening() {
        let rates = Rates::new(7);
        for (region, players) in REGIONS.iter().zip(&rates.players) {
            let day = 20_000.0 * DAY;
            let quarters = (0..96).map(|quarter| day + f64::from(quarter) * 900.0);
            let fullest = quarters.max_by(|a, b| players.at(*a).total_cmp(&players.at(*b))).unwrap();
            let local = (fullest / 3_600.0 + region.utc_offset).rem_euclid(24.0);
            assert!((18.5..22.5).contains(&local), "{}: {local}", region.name);
        }
    }
}
