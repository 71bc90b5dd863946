//! The simulated game service as a pure function of time: the same seed and instant always give the
//! same numbers, so the past can be asked for as well as the present.

use chrono::{DateTime, Utc};

use crate::flow::Flow;
use crate::histogram::whole;
use crate::rates::Rates;
use crate::release::{Part, Release};
use crate::rooms::{Phase, Room};
use crate::snapshot::{Snapshot, Track, rounded};
use crate::world::{CPU_CORES, MEMORY_LIMIT_BYTES, MODES, REGIONS};
use crate::{metrics, rooms, world};

/// When the service started, unless told: 2024-01-15T10:30:00Z, in Unix milliseconds.
const START_MS: i64 = 1_705_314_600_000;

/// A simulated game service.
#[derive(Clone, Debug)]
pub struct Sim {
    pub(super) seed: u64,
    start_ms: i64,
    pub(super) rates: Rates,
    pub(super) release: Release,
}

impl Sim {
    /// A service whose every number follows from `seed` and the time.
    pub fn new(seed: u64) -> Self {
        Self { seed, start_ms: START_MS, rates: Rates::new(seed), release: Release::of(world::IMAGE) }
    }

    /// The same service, started at `start`: its counters are zero until then.
    pub fn started_at(mut self, start: DateTime<Utc>) -> Self {
        self.start_ms = start.timestamp_millis();
        self
    }

    /// The metrics at this instant, in Prometheus' text exposition format 0.0.4.
    pub fn exposition(&self, at: DateTime<Utc>) -> String {
        metrics::render(&self.snapshot(at))
    }

    /// The rooms that are open at this instant.
    pub fn rooms(&self, at: DateTime<Utc>) -> Vec<Room> {
        rooms::open(self.seed, &self.rates, at.timestamp_millis())
    }

    /// All numbers at this instant. Below a millisecond nothing moves.
    pub fn snapshot(&self, at: DateTime<Utc>) -> Snapshot {
        let rates = &self.rates;
        let now = at.timestamp_millis();
        let (from, to) = (seconds(self.start_ms), seconds(now.max(self.start_ms)));
        let time = seconds(now);
        let count = |flow: &Flow| whole(flow.total(from, to));
        let gauge = |flow: &Flow| flow.at(time).round() as u64;

        let mut rooms_active = 0;
        let mut matches = [0; MODES.len()];
        for room in self.rooms(at) {
            rooms_active += 1;
            matches[room.mode] += u64::from(room.phase(now) == Some(Phase::InProgress));
        }
        let players = REGIONS.iter().zip(&rates.players).flat_map(|(region, flow)| {
            let here = flow.at(time);
            let share = move |share: &Flow| (here * share.at(time)).round() as u64;
            (MODES.iter().zip(&rates.mode_shares)).map(move |(mode, flow)| (region.name, mode.name, share(flow)))
        });
        let players: Vec<_> = players.collect();
        let population: u64 = players.iter().map(|(_, _, count)| count).sum();
        let cpu = rounded(rates.cpu.at(time), 4);
        let memory = (rates.memory.at(time) * MEMORY_LIMIT_BYTES).round();
        Snapshot {
            at,
            start: seconds(self.start_ms),
            uptime: rounded(to - from, 3),
            // Launchers and spectators hold connections too.
            connections: population + population / 16 + 42,
            players,
            matches,
            rooms_active,
            matches_started: rates.matches.iter().map(count).collect(),
            matches_ended: (rates.matches.iter().zip(&MODES))
                .map(|(flow, mode)| whole(flow.total(from, to - mode.mean_life())))
                .collect(),
            ticks: rates.ticks.observed(from, to),
            queue: rates.queue.observed(from, to),
            network: (rates.network.iter()).map(|mixture| mixture.observed(from, to)).collect(),
            websocket: rates.websocket.observed(from, to),
            tracks: self.tracks(from, to),
            purchases: rates.purchases.iter().map(count).collect(),
            messages: rates.messages.each_ref().map(count),
            logins: rates.logins.each_ref().map(count),
            cache: rates.cache.each_ref().map(count),
            events: rates.events.iter().map(count).collect(),
            cpu,
            cpu_seconds: rates.cpu.total(from, to) * CPU_CORES,
            memory: rounded(memory / MEMORY_LIMIT_BYTES, 4),
            memory_bytes: memory as u64,
            db_connections: gauge(&rates.db_connections).min(world::DB_CONNECTIONS_MAX),
            queued_messages: gauge(&rates.queued_messages),
        }
    }

    /// What each build answered from `from` to `to` (Unix seconds).
    fn tracks(&self, from: f64, to: f64) -> Vec<Track> {
        let track = |name: &'static str, parts: Vec<Part>| Track {
            name,
            routes: (self.rates.requests.iter()).map(|route| route.answered(&parts)).collect(),
        };
        let stable = track("stable", self.release.stable_parts(from, to));
        let canary = self.release.canary_parts(from, to);
        let canary = canary.map(|parts| track("canary", parts));
        std::iter::once(stable).chain(canary).collect()
    }
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::histogram::Histogram;

    fn time(offset_ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_795_000_000_000 + offset_ms).unwrap()
    }

    fn counters(snapshot: &Snapshot) -> Vec<u64> {
        let mut all = Vec::new();
        let mut histograms = vec![&snapshot.ticks, &snapshot.queue, &snapshot.websocket];
        histograms.extend(&snapshot.network);
        for (statuses, durations) in snapshot.tracks.iter().flat_map(|track| &track.routes) {
            all.extend(statuses.iter().map(|(_, count)| *count));
            histograms.push(durations);
        }
        for histogram in histograms {
            assert!(histogram.cumulative.is_sorted(), "{histogram:?}");
            all.extend(&histogram.cumulative);
            all.push((histogram.sum * 1e6) as u64);
        }
        let lists = [&snapshot.purchases, &snapshot.events];
        all.extend(lists.into_iter().flatten());
        all.extend(snapshot.matches_started.iter().chain(&snapshot.matches_ended));
        all.extend(snapshot.messages.iter().chain(&snapshot.logins).chain(&snapshot.cache));
        all.push((snapshot.cpu_seconds * 1e6) as u64);
        all
    }

    /// The level of each KPI with a threshold, over one window.
    fn kpis(before: &Snapshot, now: &Snapshot) -> [(&'static str, f64, f64, f64); 5] {
        let errors = (now.requests_in(5) - before.requests_in(5)) as f64;
        let requests = (now.all_requests() - before.all_requests()) as f64;
        let durations = now.durations().unwrap().since(&before.durations().unwrap());
        let quantile = |now: &Histogram, before, q| now.since(before).quantile(q).unwrap();
        [
            ("tick p99", quantile(&now.ticks, &before.ticks, 0.99), 0.0165, 0.0195),
            ("queue p95", quantile(&now.queue, &before.queue, 0.95), 20.0, 55.0),
            ("error ratio", errors / requests, 0.0, 0.001),
            ("request p95", durations.quantile(0.95).unwrap(), 90.0, 180.0),
            ("websocket p95", quantile(&now.websocket, &before.websocket, 0.95), 25.0, 49.0),
        ]
    }

    #[test]
    fn the_same_seed_and_instant_give_the_same_numbers() {
        let (one, two) = (Sim::new(7), Sim::new(7));
        assert_eq!(one.exposition(time(0)), two.exposition(time(0)));
        assert_ne!(one.exposition(time(0)), one.exposition(time(1_000)));
        assert_ne!(one.exposition(time(0)), Sim::new(8).exposition(time(0)));
    }

    #[test]
    fn counters_never_go_backwards() {
        for sim in [Sim::new(7), Sim::new(8).started_at(time(3_000))] {
            let mut last = counters(&sim.snapshot(time(-1)));
            let mut offset = 0;
            for step in (0..600).map(|i: i64| [1, 7, 250, 2_000, 15_000, 600_000][i as usize % 6]) {
                offset += step;
                let now = counters(&sim.snapshot(time(offset)));
                let back = last.iter().zip(&now).position(|(then, now)| now < then);
                assert_eq!(back, None, "at {offset} ms");
                last = now;
            }
        }
    }

    #[test]
    fn a_bad_canary_fails_its_own_requests_and_nobody_elses() {
        let mut sim = Sim::new(7);
        let before = sim.snapshot(time(0));
        let (stable, canary) = (sim.release.stable.clone(), "game-backend:5.0-bad-slow");
        sim.release.turn(time(0), stable.clone(), Some(canary.into()), 10);
        let mut last = counters(&before);
        for second in 1..60 {
            let now = counters(&sim.snapshot(time(second * 1_000)));
            assert!(second > 1 || now.len() > last.len(), "the canary has its own series");
            let back = last.iter().zip(&now).position(|(then, now)| now < then);
            assert!(second == 1 || back.is_none(), "at {second} s");
            last = now;
        }
        sim.release.turn(time(60_000), stable, Some(canary.into()), 0);
        let (then, later) = (sim.snapshot(time(60_000)), sim.snapshot(time(90_000)));
        assert_eq!(then.tracks[1], later.tracks[1], "no request after the rollback");
        let errors = |track: &Track| {
            let statuses = track.routes.iter().flat_map(|(statuses, _)| statuses);
            let (failed, all) = statuses.fold((0, 0), |(failed, all), (status, count)| {
                (failed + if *status >= 500 { *count } else { 0 }, all + count)
            });
            failed as f64 / all as f64
        };
        assert!(errors(&then.tracks[1]) > 0.1);
        assert!(errors(&then.tracks[0]) < 0.001);
        let p95 = |track: &Track| {
            let all = track.routes.iter().map(|(_, durations)| durations.clone());
            all.reduce(|one, two| one.plus(&two)).unwrap().quantile(0.95).unwrap()
        };
        assert!(p95(&then.tracks[1]) > 2.0 * p95(&then.tracks[0]));
    }

    #[test]
    fn counters_begin_at_the_start() {
        let sim = Sim::new(7).started_at(time(0));
        assert_eq!(counters(&sim.snapshot(time(-60_000))).iter().max(), Some(&0));
        assert_eq!(sim.snapshot(time(-60_000)).uptime, 0.0);
        let later = sim.snapshot(time(60_000));
        assert_eq!(later.ticks.count(), 60 * 64 * 60);
        assert_eq!(later.uptime, 60.0);
    }

    #[test]
    fn only_the_tick_is_in_warning_over_any_window() {
        for seed in [1, 7, 42] {
            let sim = Sim::new(seed);
            for (i, window) in (0..400).map(|i: i64| (i, [2_000, 5_000, 60_000, 300_000][i as usize % 4])) {
                let at = time(i * 1_733_000);
                let (before, now) = (sim.snapshot(at - TimeDelta::milliseconds(window)), sim.snapshot(at));
                for (name, value, least, most) in kpis(&before, &now) {
                    assert!(least <= value && value < most, "{name} {value} over {window} ms at {at}");
                }
                assert!((0.38..0.58).contains(&now.cpu) && (0.55..0.66).contains(&now.memory));
            }
        }
    }

    #[test]
    fn short_windows_show_the_rates_of_long_ones() {
        let sim = Sim::new(7);
        let requests = |offset: i64| sim.snapshot(time(offset)).all_requests() as f64;
        for minute in 0..100 {
            let at = minute * 60_000;
            let (short, long) = (requests(at + 2_000) - requests(at), requests(at + 20_000) - requests(at));
            assert!((short / 2.0 / (long / 20.0) - 1.0).abs() < 0.02, "{short} {long}");
        }
    }

    #[test]
    fn numbers_of_one_instant_agree() {
        let sim = Sim::new(7);
        for hour in 0..48 {
            let now = sim.snapshot(time(hour * 3_600_000));
            assert_eq!(now.rooms_active, sim.rooms(now.at).len() as u64);
            assert!(now.matches.iter().sum::<u64>() < now.rooms_active);
            assert!(now.connections > now.population());
            let open = (now.matches_started.iter().sum::<u64>() - now.matches_ended.iter().sum::<u64>()) as f64;
            assert!((open / now.rooms_active as f64 - 1.0).abs() < 0.15, "{open} {}", now.rooms_active);
            for (statuses, durations) in now.tracks.iter().flat_map(|track| &track.routes) {
                assert_eq!(statuses.iter().map(|(_, count)| count).sum::<u64>(), durations.count());
            }
        }
    }
}
