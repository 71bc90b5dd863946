//! Which rooms exist, and in which phase each is. Rooms follow each other on numbered slots, so that
//! any room of the past can be found again from its id alone.

use crate::rates::Rates;
use crate::world::{COUNTDOWN, IN_ROOMS, MODES, Mode, RESULTS, WAITING};

/// How long the events of a closed room are kept, in milliseconds.
const RETENTION_MS: i64 = 24 * 3_600_000;

const MINUTE_MS: i64 = 60_000;

/// The phases of a room's life, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Waiting,
    Countdown,
    InProgress,
    Results,
    Closed,
}

impl Phase {
    pub const OPEN: [Self; 4] = [Self::Waiting, Self::Countdown, Self::InProgress, Self::Results];

    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Countdown => "countdown",
            Self::InProgress => "in_progress",
            Self::Results => "results",
            Self::Closed => "closed",
        }
    }
}

/// One room and when its phases begin, in Unix milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Room {
    /// Index into [`MODES`].
    pub mode: usize,
    slot: u32,
    /// How many rooms were on this slot before.
    round: i64,
    /// Where the random numbers of this room's events start.
    pub seed: u64,
    pub created: i64,
    pub countdown: i64,
    pub started: i64,
    pub ended: i64,
    pub closed: i64,
}

impl Room {
    fn on_slot(seed: u64, mode: usize, slot: u32, round: i64) -> Self {
        let rules = &MODES[mode];
        let created = slot_offset(seed, mode, slot) + round * period_ms(rules);
        let seed = mix(&[seed, mode as u64, u64::from(slot), round as u64]);
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut between = |range: (u32, u32)| i64::from(rng.u32(range.0 * 1_000..=range.1 * 1_000));
        let countdown = created + between(WAITING);
        let started = countdown + i64::from(COUNTDOWN) * 1_000;
        let ended = started + between(rules.play);
        Self { mode, slot, round, seed, created, countdown, started, ended, closed: ended + i64::from(RESULTS) * 1_000 }
    }

    /// The id, such as `ranked-0017-22b1f`.
    pub fn id(&self) -> String {
        format!("{}-{:04}-{:x}", self.rules().name, self.slot, self.round)
    }

    pub fn rules(&self) -> &'static Mode {
        &MODES[self.mode]
    }

    /// The phase at `now`; `None` before the room is created.
    pub fn phase(&self, now: i64) -> Option<Phase> {
        let begins = [
            (self.closed, Phase::Closed),
            (self.ended, Phase::Results),
            (self.started, Phase::InProgress),
            (self.countdown, Phase::Countdown),
            (self.created, Phase::Waiting),
        ];
        let begun = begins.iter().find(|(begin, _)| *begin <= now);
        begun.map(|(_, phase)| *phase)
    }
}

/// The rooms that are open at `now` (Unix milliseconds), by mode and slot.
pub fn open(seed: u64, rates: &Rates, now: i64) -> Vec<Room> {
    let mut rooms = latest(seed, rates, now);
    rooms.retain(|room| now < room.closed);
    rooms
}

/// The mean length of the last match that ended on each slot, in seconds; `None` without any.
pub fn mean_match_seconds(seed: u64, rates: &Rates, now: i64) -> Option<f64> {
    let last_ended = |room: Room| {
        if room.ended <= now { room } else { Room::on_slot(seed, room.mode, room.slot, room.round - 1) }
    };
    let rooms = latest(seed, rates, now).into_iter().map(last_ended);
    let (count, total) = rooms.fold((0_u32, 0), |(count, total), room| (count + 1, total + room.ended - room.started));
    (count > 0).then(|| total as f64 / 1_000.0 / f64::from(count))
}

/// The room of this id, if it exists or its events are still kept at `now`.
pub fn find(seed: u64, rates: &Rates, id: &str, now: i64) -> Option<Room> {
    let mut parts = id.split('-');
    let name = parts.next()?;
    let slot: u32 = parts.next()?.parse().ok()?;
    let round = i64::from_str_radix(parts.next()?, 16).ok()?;
    let mode = MODES.iter().position(|mode| mode.name == name)?;
    // A slot or a round of another age would overflow the clock, and never existed.
    let recent = (now - slot_offset(seed, mode, slot)).div_euclid(period_ms(&MODES[mode]));
    if (recent - round).unsigned_abs() > 1_000 {
        return None;
    }
    let room = Room::on_slot(seed, mode, slot, round);
    let known = room.created <= now && now < room.closed + RETENTION_MS;
    let used = f64::from(slot) < slots(rates, mode, minute(room.created));
    // Only the canonical spelling names a room.
    (known && used && room.id() == id).then_some(room)
}

/// The latest room that was created on each slot, open or not.
fn latest(seed: u64, rates: &Rates, now: i64) -> Vec<Room> {
    let mut rooms = Vec::new();
    for (mode, rules) in MODES.iter().enumerate() {
        // A slot is in use when it was needed in the minute in which its room was created.
        let minutes = period_ms(rules) / MINUTE_MS + 1;
        let needed: Vec<f64> = (0..=minutes).map(|ago| slots(rates, mode, minute(now) - ago)).collect();
        let most = needed.iter().copied().fold(0.0, f64::max).ceil() as u32;
        for slot in 0..most {
            let offset = slot_offset(seed, mode, slot);
            let round = (now - offset).div_euclid(period_ms(rules));
            let created = offset + round * period_ms(rules);
            let ago = (minute(now) - minute(created)) as usize;
            if needed.get(ago).is_some_and(|needed| f64::from(slot) < *needed) {
                rooms.push(Room::on_slot(seed, mode, slot, round));
            }
        }
    }
    rooms
}

/// How many slots a mode needs in this minute, so that its players have seats: more than rooms,
/// since a slot stands empty between two of them.
fn slots(rates: &Rates, mode: usize, minute: i64) -> f64 {
    let rules = &MODES[mode];
    let time = minute as f64 * 60.0;
    let players = rates.population.at(time) * rates.mode_shares[mode].at(time) * IN_ROOMS;
    players / f64::from(rules.seats) * f64::from(rules.period()) / rules.mean_life()
}

fn slot_offset(seed: u64, mode: usize, slot: u32) -> i64 {
    let hash = mix(&[seed, mode as u64, u64::from(slot)]);
    (hash % period_ms(&MODES[mode]) as u64) as i64
}

fn period_ms(rules: &Mode) -> i64 {
    i64::from(rules.period()) * 1_000
}

fn minute(time: i64) -> i64 {
    time.div_euclid(MINUTE_MS)
}

/// Mixes numbers to a hash, by the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
pub fn mix(parts: &[u64]) -> u64 {
    parts.iter().fold(0, |hash: u64, part| {
        let mut z = (hash ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000_000;

    #[test]
    fn a_room_lives_from_its_creation_to_its_close() {
        let rates = Rates::new(7);
        for room in open(7, &rates, NOW).iter().take(50) {
            let times = [room.created, room.countdown, room.started, room.ended, room.closed];
            assert!(times.is_sorted() && room.created <= NOW && NOW < room.closed);
            for now in [room.created, room.started, room.closed - 1] {
                assert!(open(7, &rates, now).contains(room), "{} at {now}", room.id());
            }
            for now in [room.created - 1, room.closed] {
                assert!(!open(7, &rates, now).contains(room), "{} at {now}", room.id());
            }
        }
    }

    #[test]
    fn rooms_have_about_the_seats_that_players_need() {
        let rates = Rates::new(7);
        for hour in 0..24 {
            let now = NOW + hour * 3_600_000;
            let rooms = open(7, &rates, now);
            let seats: f64 = rooms.iter().map(|room| f64::from(room.rules().seats)).sum();
            let players = rates.population.at(now as f64 / 1_000.0);
            let ratio = seats / players;
            assert!((0.70..0.86).contains(&ratio), "hour {hour}: {ratio}");
        }
    }

    #[test]
    fn an_id_finds_its_room_and_nothing_else_does() {
        let rates = Rates::new(7);
        let room = open(7, &rates, NOW).swap_remove(3);
        assert_eq!(find(7, &rates, &room.id(), NOW), Some(room.clone()));
        assert!(find(7, &rates, &room.id(), room.closed + RETENTION_MS - 1).is_some());
        assert!(find(7, &rates, &room.id(), room.closed + RETENTION_MS).is_none());
        assert!(find(7, &rates, &room.id(), room.created - 1).is_none());
        let round = format!("{:x}", room.round);
        for id in [
            "",
            "ranked",
            "ranked-0003",
            "ranked-9999-1",
            "other-0003-1",
            "ranked-0003-7fffffffffffffff",
            "ranked-0003--7fffffffffffffff",
            "ranked-4294967295-1",
            &format!("ranked-3-{round}"),
            &format!("ranked-0003-{round}-1"),
            &format!("ranked-0003-+{round}"),
            &format!("ranked-0003-0{round}"),
        ] {
            assert_eq!(find(7, &rates, id, NOW), None, "{id}");
        }
    }

    #[test]
    fn a_match_takes_minutes_on_average() {
        let mean = mean_match_seconds(7, &Rates::new(7), NOW).unwrap();
        assert!((500.0..800.0).contains(&mean), "{mean}");
    }
}
