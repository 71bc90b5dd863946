//! The JSON documents about rooms: all of them, one room's events, and its state rebuilt from them.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::api::timestamp;
use crate::events::{Event, Happening, State};
use crate::rooms::{Phase, Room};
use crate::sim::Sim;
use crate::snapshot::rounded;
use crate::world::MODES;
use crate::{events, rooms};

/// How many rooms of each mode the overview lists one by one.
const LISTED: usize = 8;

/// `GET /api/debug/room-stats`.
pub fn stats(sim: &Sim, at: DateTime<Utc>) -> Value {
    let now = at.timestamp_millis();
    let states: Vec<(Room, State)> = (sim.rooms(at).into_iter())
        .map(|room| {
            let state = State::replay(&events::until(&room, now));
            (room, state)
        })
        .collect();
    let phases = Phase::OPEN.map(|phase| {
        let count = states.iter().filter(|(_, state)| state.phase == phase).count();
        (phase.name().to_owned(), json!(count))
    });
    let mut by_mode = Map::new();
    let mut listed = Vec::new();
    for (index, mode) in MODES.iter().enumerate() {
        let of_mode = || states.iter().filter(|(room, _)| room.mode == index);
        let in_progress = of_mode().filter(|(_, state)| state.phase == Phase::InProgress);
        by_mode.insert(
            mode.name.to_owned(),
            json!({
                "rooms": of_mode().count(),
                "in_progress": in_progress.count(),
                "players": of_mode().map(|(_, state)| state.people()).sum::<usize>(),
                "bots": of_mode().map(|(_, state)| state.bots()).sum::<usize>(),
            }),
        );
        listed.extend(of_mode().take(LISTED).map(|(room, state)| summary(room, state, now)));
    }
    let average = rooms::mean_match_seconds(sim.seed, &sim.rates, now);
    json!({
        "timestamp": timestamp(at),
        "active_rooms": states.len(),
        "players_in_rooms": states.iter().map(|(_, state)| state.people()).sum::<usize>(),
        "bots": states.iter().map(|(_, state)| state.bots()).sum::<usize>(),
        "phases": Map::from_iter(phases),
        "by_game_mode": by_mode,
        "average_duration_seconds": average.map(|seconds| rounded(seconds, 1)),
        "rooms_listed": listed.len(),
        "rooms": listed,
    })
}

/// `GET /api/rooms/{room_id}/events`; `None` for an unknown room.
pub fn events(sim: &Sim, id: &str, at: DateTime<Utc>) -> Option<Value> {
    let (room, events) = history(sim, id, at)?;
    let events: Vec<Value> = (1..).zip(&events).map(|(seq, event)| line(seq, event)).collect();
    Some(json!({
        "room_id": id,
        "game_mode": room.rules().name,
        "count": events.len(),
        "events": events,
    }))
}

/// `GET /api/rooms/{room_id}/state`; `None` for an unknown room.
pub fn state(sim: &Sim, id: &str, at: DateTime<Utc>) -> Option<Value> {
    let (room, events) = history(sim, id, at)?;
    let state = State::replay(&events);
    let mut players: Vec<_> = state.players.iter().collect();
    players.sort_by_key(|(player, seat)| (std::cmp::Reverse(seat.score), **player));
    let players: Vec<Value> = (players.into_iter())
        .map(|(player, seat)| {
            json!({
                "player_id": player_id(*player), "bot": seat.bot,
                "connected": seat.connected, "score": seat.score,
            })
        })
        .collect();
    let time = |millis: Option<i64>| millis.and_then(instant).map(timestamp);
    Some(json!({
        "room_id": id,
        "game_mode": room.rules().name,
        "phase": state.phase.name(),
        "created_at": time(Some(room.created)),
        "started_at": time(state.started),
        "ended_at": time(state.ended),
        "max_players": room.rules().seats,
        "player_count": state.people(),
        "bot_count": state.bots(),
        "players": players,
        "errors": state.errors,
        "events_applied": state.applied,
        "last_event_at": time(state.last_event),
    }))
}

fn history(sim: &Sim, id: &str, at: DateTime<Utc>) -> Option<(Room, Vec<Event>)> {
    let now = at.timestamp_millis();
    let room = rooms::find(sim.seed, &sim.rates, id, now)?;
    let events = events::until(&room, now);
    Some((room, events))
}

fn summary(room: &Room, state: &State, now: i64) -> Value {
    json!({
        "room_id": room.id(),
        "game_mode": room.rules().name,
        "phase": state.phase.name(),
        "players": state.people(),
        "bots": state.bots(),
        "age_seconds": (now - room.created) / 1_000,
    })
}

/// One event as the API shows it.
fn line(seq: usize, event: &Event) -> Value {
    let (category, kind, details) = match &event.what {
        Happening::Created => ("system", "room_created", json!({})),
        Happening::Joined { player, bot: false } => {
            ("player", "player_joined", json!({ "player_id": player_id(*player) }))
        }
        Happening::Joined { player, bot: true } => ("system", "bot_added", json!({ "player_id": player_id(*player) })),
        Happening::Left { player, reason } => {
            ("player", "player_left", json!({ "player_id": player_id(*player), "reason": reason }))
        }
        Happening::Reconnected { player } => {
            ("player", "player_reconnected", json!({ "player_id": player_id(*player) }))
        }
        Happening::Acted { player, action, points } => {
            let details = json!({ "player_id": player_id(*player), "action": action, "points": points });
            ("player", "player_action", details)
        }
        Happening::Phase { from, to } => {
            ("transition", "phase_changed", json!({ "from": from.name(), "to": to.name() }))
        }
        Happening::Snapshot { events } => ("system", "snapshot_saved", json!({ "events": events })),
        Happening::Error { code } => ("error", "error", json!({ "code": code, "recovered": true })),
    };
    json!({
        "seq": seq,
        "timestamp": instant(event.at).map(timestamp),
        "category": category,
        "type": kind,
        "details": details,
    })
}

fn player_id(player: u32) -> String {
    format!("p-{player}")
}

fn instant(millis: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    #[test]
    fn the_overview_agrees_with_the_metrics() {
        let sim = Sim::new(7);
        let stats = stats(&sim, now());
        let snapshot = sim.snapshot(now());
        assert_eq!(stats["active_rooms"], snapshot.rooms_active);
        assert_eq!(stats["phases"]["in_progress"], snapshot.matches.iter().sum::<u64>());
        for (mode, matches) in MODES.iter().zip(snapshot.matches) {
            assert_eq!(stats["by_game_mode"][mode.name]["in_progress"], matches);
        }
        let phases = stats["phases"].as_object().unwrap().values();
        assert_eq!(phases.map(|count| count.as_u64().unwrap()).sum::<u64>(), snapshot.rooms_active);
        let players = stats["players_in_rooms"].as_u64().unwrap();
        assert!(players < snapshot.population() && players > snapshot.population() / 2);
        assert!(stats["bots"].as_u64().unwrap() > 0);
    }

    #[test]
    fn the_state_follows_from_exactly_the_events() {
        let sim = Sim::new(7);
        for listed in stats(&sim, now())["rooms"].as_array().unwrap() {
            let id = listed["room_id"].as_str().unwrap();
            let history = events(&sim, id, now()).unwrap();
            let state = state(&sim, id, now()).unwrap();
            assert_eq!(state["events_applied"], history["count"]);
            for member in ["phase", "game_mode"] {
                assert_eq!(state[member], listed[member], "{id}");
            }
            assert_eq!(state["player_count"], listed["players"], "{id}");
            let lines = history["events"].as_array().unwrap();
            assert_eq!(state["last_event_at"], lines.last().unwrap()["timestamp"]);
            let of = |kind: &'static str| lines.iter().filter(move |line| line["type"] == kind);
            assert_eq!(state["errors"], of("error").count());
            let phase =
                of("phase_changed").next_back().map_or("waiting", |line| line["details"]["to"].as_str().unwrap());
            assert_eq!(state["phase"], phase);
            for player in state["players"].as_array().unwrap() {
                let actions = of("player_action").filter(|line| line["details"]["player_id"] == player["player_id"]);
                let points: u64 = actions.map(|line| line["details"]["points"].as_u64().unwrap()).sum();
                assert_eq!(player["score"], points);
            }
        }
    }

    #[test]
    fn an_unknown_room_has_neither() {
        let sim = Sim::new(7);
        assert_eq!(events(&sim, "ranked-0001-1", now()), None);
        assert_eq!(state(&sim, "../../etc/passwd", now()), None);
    }
}
