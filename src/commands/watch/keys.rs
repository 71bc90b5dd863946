//! The keys, in one table: what is pressed, what it does, and where. Help is printed from it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Open,
    Back,
    Pane,
    Filter,
    Command,
    Sort,
    Undo,
    Acknowledge,
    Note,
    Copy,
    Pause,
    Earlier,
    Later,
    GoTo,
    Next,
    Record,
    Refresh,
    Help,
    Quit,
    Interrupt,
    Suspend,
}

/// Where a key means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The lists.
    Board,
    /// What Enter opened.
    Detail,
    Both,
}

/// `(key, code, what the help says, where)`; an empty text stays out of the help: it stands beside its twin.
pub(crate) const KEYS: &[(Key, &[KeyCode], &str, &str, Place)] = &[
    (Key::Up, &[KeyCode::Up, KeyCode::Char('k')], "↑ ↓ j k", "up and down", Place::Both),
    (Key::Down, &[KeyCode::Down, KeyCode::Char('j')], "", "", Place::Both),
    (Key::PageUp, &[KeyCode::PageUp], "PgUp Dn", "a screen up and down", Place::Both),
    (Key::PageDown, &[KeyCode::PageDown], "", "", Place::Both),
    (Key::First, &[KeyCode::Home, KeyCode::Char('g')], "g G", "to the top, and to the end", Place::Both),
    (Key::Last, &[KeyCode::End, KeyCode::Char('G')], "", "", Place::Both),
    (Key::Pane, &[KeyCode::Tab, KeyCode::BackTab], "Tab", "the other pane", Place::Board),
    (Key::Open, &[KeyCode::Enter, KeyCode::Right], "Enter", "open; unfold what is normal", Place::Board),
    (Key::Back, &[KeyCode::Esc, KeyCode::Left], "Esc", "back; end the filter", Place::Both),
    (Key::Filter, &[KeyCode::Char('/')], "/", "show only lines with these letters", Place::Board),
    (Key::Sort, &[KeyCode::Char('s')], "s", "sort by name, or the worst first", Place::Board),
    (Key::Command, &[KeyCode::Char(':')], ":", "run a liveops command (Tab completes)", Place::Both),
    (Key::Next, &[KeyCode::Char('.')], ".", "the next command; Enter runs it", Place::Board),
    (Key::Undo, &[KeyCode::Char('u')], "u", "undo the chosen change, or the first suspect", Place::Both),
    (Key::Acknowledge, &[KeyCode::Char('a')], "a", "acknowledge the incident", Place::Both),
    (Key::Note, &[KeyCode::Char('n')], "n", "write a note to the incident", Place::Both),
    (Key::Copy, &[KeyCode::Char('y')], "y", "copy the command that shows this", Place::Both),
    (Key::Pause, &[KeyCode::Char(' ')], "space", "pause, and go on", Place::Both),
    (Key::Earlier, &[KeyCode::Char('[')], "[ ]", "back and forth in time", Place::Board),
    (Key::Later, &[KeyCode::Char(']')], "", "", Place::Board),
    (Key::GoTo, &[KeyCode::Char('t')], "t", "go to a time: 03:12, -2h", Place::Board),
    (Key::Record, &[KeyCode::Char('r')], "r", "record to a file, and stop", Place::Board),
    (Key::Refresh, &[KeyCode::Char('R'), KeyCode::F(5)], "R", "look again now", Place::Both),
    (Key::Help, &[KeyCode::Char('?'), KeyCode::F(1)], "?", "these keys", Place::Both),
    (Key::Quit, &[KeyCode::Char('q')], "q", "quit", Place::Both),
];

/// Keys that change something: gone with `--read-only`.
pub(crate) const CHANGES: [Key; 3] = [Key::Undo, Key::Acknowledge, Key::Note];

/// The key that was pressed, where it means something.
pub(crate) fn key(event: &KeyEvent, place: Place) -> Option<Key> {
    if event.modifiers.contains(KeyModifiers::CONTROL) {
        return match event.code {
            KeyCode::Char('c') => Some(Key::Interrupt),
            KeyCode::Char('z') => Some(Key::Suspend),
            KeyCode::Char('l') => Some(Key::Refresh),
            KeyCode::Char('d' | 'f') => Some(Key::PageDown),
            KeyCode::Char('u' | 'b') => Some(Key::PageUp),
            _ => None,
        };
    }
    let here = |at: Place| at == place || at == Place::Both;
    KEYS.iter().find(|(_, codes, _, _, at)| here(*at) && codes.contains(&event.code)).map(|(key, ..)| *key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_means_two_things() {
        let mut codes: Vec<KeyCode> = KEYS.iter().flat_map(|(_, codes, ..)| codes.iter().copied()).collect();
        let all = codes.len();
        codes.sort_by_key(|code| format!("{code:?}"));
        codes.dedup();
        assert_eq!(codes.len(), all);
    }

    #[test]
    fn time_stands_still_in_what_was_opened() {
        let press = |c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE);
        assert_eq!(key(&press('['), Place::Board), Some(Key::Earlier));
        assert_eq!(key(&press('['), Place::Detail), None);
        assert_eq!(key(&KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL), Place::Detail), Some(Key::Interrupt));
    }
}
