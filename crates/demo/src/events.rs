//! What happens in one room, in order, and the state that follows from it. The state is only ever
//! the fold of the events, as in an event-sourced game service.

use std::collections::BTreeMap;

use crate::rooms::{Phase, Room};
use crate::world::{ACTION_SECONDS, LEAVERS, SNAPSHOT_SECONDS};

/// One thing that happened in a room.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Unix milliseconds.
    pub at: i64,
    pub what: Happening,
}

/// The kinds of events. Players are numbers, which the reports write as `p-41207`.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    Created,
    Joined { player: u32, bot: bool },
    Left { player: u32, reason: &'static str },
    Reconnected { player: u32 },
    Acted { player: u32, action: &'static str, points: u32 },
    Phase { from: Phase, to: Phase },
    Snapshot { events: usize },
    Error { code: &'static str },
}

const ACTIONS: [(&str, u32); 4] = [("elimination", 100), ("assist", 40), ("objective", 150), ("revive", 60)];

const ERRORS: [&str; 3] = ["state_desync", "slow_tick", "late_input"];

const ACTION_MS: i64 = ACTION_SECONDS as i64 * 1_000;

const SNAPSHOT_MS: i64 = SNAPSHOT_SECONDS as i64 * 1_000;

/// All events of the room up to and including `now` (Unix milliseconds), oldest first.
pub fn until(room: &Room, now: i64) -> Vec<Event> {
    let mut events = life(room);
    events.retain(|event| event.at <= now);
    events
}

/// All events of the room's whole life.
fn life(room: &Room) -> Vec<Event> {
    let rng = &mut fastrand::Rng::with_seed(room.seed ^ 1);
    let mut events = Vec::with_capacity(160);
    let mut push = |at: i64, what: Happening| events.push(Event { at, what });

    push(room.created, Happening::Created);
    let rules = room.rules();
    let bots = rng.u32(0..=rules.most_bots);
    let first = rng.u32(10_000..90_000);
    let mut leaves = vec![i64::MAX; rules.seats as usize];
    for (seat, leave) in (0..).zip(&mut leaves) {
        let (player, bot) = (first + seat * 7, seat >= rules.seats - bots);
        let at = if bot { room.countdown - 1 } else { rng.i64(room.created + 500..room.countdown - 500) };
        push(at, Happening::Joined { player, bot });
        if !bot && rng.f64() < LEAVERS {
            let lost = rng.i64(room.started..room.ended - 60_000);
            *leave = lost;
            let reason = if rng.bool() { "connection_lost" } else { "quit" };
            push(lost, Happening::Left { player, reason });
            if reason == "connection_lost" && rng.f64() < 0.7 {
                push(lost + rng.i64(4_000..50_000), Happening::Reconnected { player });
            }
        }
    }

    let turns = [
        (room.countdown, Phase::Waiting, Phase::Countdown),
        (room.started, Phase::Countdown, Phase::InProgress),
        (room.ended, Phase::InProgress, Phase::Results),
        (room.closed, Phase::Results, Phase::Closed),
    ];
    for (at, from, to) in turns {
        push(at, Happening::Phase { from, to });
    }

    let mut at = room.started + rng.i64(1..ACTION_MS);
    while at < room.ended {
        let seat = rng.u32(0..rules.seats);
        let (action, points) = ACTIONS[rng.usize(0..ACTIONS.len())];
        // Whoever has left does nothing more, back or not.
        if at < leaves[seat as usize] {
            let player = first + seat * 7;
            push(at, Happening::Acted { player, action, points });
        }
        at += rng.i64(1..2 * ACTION_MS);
    }
    if rng.f64() < 0.06 {
        let code = ERRORS[rng.usize(0..ERRORS.len())];
        push(rng.i64(room.started..room.ended), Happening::Error { code });
    }
    let mut at = room.started + SNAPSHOT_MS;
    while at < room.ended {
        push(at, Happening::Snapshot { events: 0 });
        at += SNAPSHOT_MS;
    }

    events.sort_by_key(|event| event.at);
    for (before, event) in events.iter_mut().enumerate() {
        if let Happening::Snapshot { events } = &mut event.what {
            *events = before;
        }
    }
    events
}

/// A room as its events describe it.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub phase: Phase,
    pub players: BTreeMap<u32, Player>,
    pub errors: usize,
    pub applied: usize,
    /// Unix milliseconds.
    pub started: Option<i64>,
    pub ended: Option<i64>,
    pub last_event: Option<i64>,
}

/// Someone who took a seat.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Player {
    pub bot: bool,
    pub connected: bool,
    pub score: u32,
}

impl State {
    /// The state after these events.
    pub fn replay(events: &[Event]) -> Self {
        let nothing = Self {
            phase: Phase::Waiting,
            players: BTreeMap::new(),
            errors: 0,
            applied: 0,
            started: None,
            ended: None,
            last_event: None,
        };
        events.iter().fold(nothing, Self::after)
    }

    fn after(mut self, event: &Event) -> Self {
        match event.what {
            Happening::Created | Happening::Snapshot { .. } => {}
            Happening::Joined { player, bot } => {
                let seat = self.players.entry(player).or_default();
                (seat.bot, seat.connected) = (bot, true);
            }
            Happening::Left { player, .. } => {
                self.players.entry(player).or_default().connected = false;
            }
            Happening::Reconnected { player } => {
                self.players.entry(player).or_default().connected = true;
            }
            Happening::Acted { player, points, .. } => {
                self.players.entry(player).or_default().score += points;
            }
            Happening::Phase { to, .. } => {
                self.phase = to;
                match to {
                    Phase::InProgress => self.started = Some(event.at),
                    Phase::Results => self.ended = Some(event.at),
                    Phase::Closed => self.empty(),
                    Phase::Waiting | Phase::Countdown => {}
                }
            }
            Happening::Error { .. } => self.errors += 1,
        }
        self.applied += 1;
        self.last_event = Some(event.at);
        self
    }

    fn empty(&mut self) {
        for seat in self.players.values_mut() {
            seat.connected = false;
        }
    }

    /// The people, without bots, who are connected.
    pub fn people(&self) -> usize {
        self.players.values().filter(|seat| seat.connected && !seat.bot).count()
    }

    /// The bots in the room.
    pub fn bots(&self) -> usize {
        self.players.values().filter(|seat| seat.connected && seat.bot).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rates::Rates;
    use crate::rooms;
    use crate::world::MODES;

    const NOW: i64 = 1_795_000_000_000;

    fn some_rooms() -> Vec<Room> {
        let mut rooms = rooms::open(7, &Rates::new(7), NOW);
        rooms.retain(|room| room.closed % 8 == 0);
        rooms
    }

    #[test]
    fn the_replayed_phase_is_the_room_s_phase() {
        for room in some_rooms() {
            for now in [room.created, room.countdown, room.started - 1, room.started, NOW, room.closed] {
                let state = State::replay(&until(&room, now));
                assert_eq!(Some(state.phase), room.phase(now), "{}", room.id());
            }
        }
    }

    #[test]
    fn events_are_in_order_and_players_act_only_while_present() {
        for room in some_rooms() {
            let events = until(&room, room.closed);
            assert!(events.is_sorted_by_key(|event| event.at));
            for (index, event) in events.iter().enumerate() {
                if let Happening::Acted { player, .. } = event.what {
                    let seat = State::replay(&events[..index]).players.remove(&player);
                    assert!(seat.is_some_and(|seat| seat.connected), "{} {event:?}", room.id());
                }
            }
        }
    }

    #[test]
    fn more_time_only_adds_events() {
        for room in some_rooms() {
            let (early, late) = (until(&room, NOW - 60_000), until(&room, NOW));
            assert!(late.starts_with(&early));
            assert!(State::replay(&late).players.len() <= room.rules().seats as usize);
        }
    }

    #[test]
    fn rooms_have_as_many_events_as_the_event_store_counts() {
        let rooms = rooms::open(7, &Rates::new(7), NOW);
        for (index, mode) in MODES.iter().enumerate() {
            let of_mode: Vec<&Room> = rooms.iter().filter(|room| room.mode == index).collect();
            let events: usize = of_mode.iter().map(|room| life(room).len()).sum();
            let ratio = events as f64 / of_mode.len() as f64 / mode.mean_events();
            assert!((0.95..1.05).contains(&ratio), "{}: {ratio}", mode.name);
        }
    }
}
