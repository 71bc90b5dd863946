//! What the screen looks like: every pane in every size, with and without colour, and what keys make of it.

use std::rc::Rc;

use chrono::{DateTime, TimeDelta};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use liveops_domain::text::count::count;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

use crate::commands::watch::ansi;
use crate::commands::watch::board::{Board, Item, Kind, Section, Subject};
use crate::commands::watch::draw::{Look, draw};
use crate::commands::watch::keys::KEYS;
use crate::commands::watch::state::{Action, App, Detail, Mode};
use crate::output::block::{Tone, plain, span};

fn line(subject: Subject, tone: Tone, name: &str, text: &str) -> Item {
    let strong = if tone == Tone::Bad { Tone::Strong } else { Tone::Plain };
    Item::new(subject, tone, name, vec![span(name, strong), plain("  "), span(text, tone)])
}

/// A look with something in every section.
fn sample(names: &[&str]) -> Board {
    let alert = |name: &&str| Item {
        link: Some(format!("https://wiki.example/{name}")),
        undo: Some("undo c1".into()),
        ..line(Subject::Alert((*name).into()), Tone::Bad, name, "critical  firing 4m  nobody can log in")
    };
    let change = Subject::Change(Some("c1".into()));
    let section = |kind, items| Rc::new(Section { kind, stale: None, items });
    let normal = |name: &str| line(Subject::Kpi(name.into()), Tone::Good, name, "12.1 ms");
    Board {
        at: DateTime::from_timestamp(1_768_473_000, 0).expect("in range"),
        verdict: span("CRITICAL", Tone::Bad),
        headline: "LoginDown, game-us down".into(),
        place: "starfall · live".into(),
        next: Some("liveops incident open --from-alert LoginDown".into()),
        sections: vec![
            section(
                Kind::Incidents,
                vec![line(
                    Subject::Incident("i".into()),
                    Tone::Warn,
                    "P1 login down",
                    "acknowledged since 10:28Z (2m)",
                )],
            ),
            section(Kind::Wrong, names.iter().map(alert).collect()),
            section(
                Kind::Changes,
                vec![
                    line(change, Tone::Warn, "10:26:00Z", "suspect  flag `queue_v2`: percentage 5 to 60"),
                    line(Subject::Change(None), Tone::Dim, "09:50:12Z", "ada scale game-backend to 12"),
                ],
            ),
            section(
                Kind::Rollouts,
                vec![line(Subject::Rollout("game".into()), Tone::Warn, "game game:2.1", "held  10%")],
            ),
            section(Kind::Flags, vec![line(Subject::Flags, Tone::Dim, "all flags", "12, 1 killed")]),
            section(
                Kind::Sources,
                vec![line(
                    Subject::Source("KPIs".into()),
                    Tone::Unknown,
                    "KPIs",
                    "no answer since 10:29:01Z; asked again",
                )],
            ),
            section(Kind::Normal, vec![normal("tick p99"), normal("queue p95")]),
        ],
    }
}

fn drawn(app: &App, area: Rect, look: Look) -> Buffer {
    let mut buffer = Buffer::empty(area);
    draw(app, area, &mut buffer, look, &mut Vec::new());
    buffer
}

fn screen(app: &App, (width, height): (u16, u16), look: Look) -> Vec<String> {
    let area = Rect::new(0, 0, width, height);
    let buffer = drawn(app, area, look);
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol().to_owned()).collect::<String>().trim_end().to_owned();
    (0..height).map(row).collect()
}

fn app(size: (u16, u16), names: &[&str]) -> App {
    let mut app = App::new(false, false);
    app.resize(size.0, size.1);
    app.push(sample(names));
    app
}

const PLAIN: Look = Look { colour: false, unicode: true };

/// The text, and below it the styles: `row: from-to style`, where it is not plain.
fn picture(app: &App, size: (u16, u16), look: Look) -> String {
    let area = Rect::new(0, 0, size.0, size.1);
    let buffer = drawn(app, area, look);
    let mut text = screen(app, size, look).join("\n");
    if !look.colour {
        return text;
    }
    for y in 0..size.1 {
        let style = |x: u16| buffer[(x, y)].style();
        let mut x = 0;
        while x < size.0 {
            let end = (x..size.0).find(|next| style(*next) != style(x)).unwrap_or(size.0);
            let Style { fg, add_modifier, .. } = style(x);
            let colour = fg.filter(|colour| *colour != ratatui_core::style::Color::Reset);
            if colour.is_some() || !add_modifier.is_empty() {
                let colour = colour.map_or_else(String::new, |colour| format!(" {colour}"));
                text.push_str(&format!("\n{y}: {x}-{end}{colour} {add_modifier:?}"));
            }
            x = end;
        }
    }
    text
}

fn press(app: &mut App, keys: &str) {
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            key => KeyCode::Char(key),
        };
        app.press(&KeyEvent::new(code, KeyModifiers::NONE));
    }
}

/// Everything that can be on the screen.
fn panes(size: (u16, u16)) -> Vec<(&'static str, App)> {
    let with = |keys: &str| {
        let mut app = app(size, &["LoginDown", "TickSlow"]);
        press(&mut app, keys);
        app
    };
    let mut asking = App::new(false, false);
    asking.resize(size.0, size.1);
    let mut warm = App::new(false, false);
    warm.resize(size.0, size.1);
    warm.remembered = Some(sample(&["LoginDown"]).remembered());
    let mut detail = with("");
    let text = "\x1b[1mtick p99\x1b[0m  \x1b[31m24 ms\x1b[0m\nrunbook: https://wiki.example/TickSlow";
    let lines = ansi::lines(text, usize::from(size.0));
    let links = ansi::links(&lines, usize::from(size.0));
    detail.mode =
        Mode::Detail(Detail { commands: vec!["query --kpi tick_p99".into()], lines, links, ..Detail::default() });
    let mut past = with("");
    past.insert(Board { at: past.newest().expect("a look").at - TimeDelta::minutes(1), ..sample(&["TickSlow"]) });
    vec![
        ("lists", with("")),
        ("aside", with("\t")),
        ("filtered", with("/queue\n")),
        ("by name", with("s")),
        ("unfolded", with("G\n")),
        ("command", with(":flag set")),
        ("help", with("?")),
        ("detail", detail),
        ("past", past),
        ("asking", asking),
        ("warm", warm),
    ]
}

#[test]
fn every_pane_in_every_size_with_and_without_colour() {
    let signs = [
        ("lists", "Not normal"),
        ("aside", "Changed in the last hour"),
        ("filtered", "/queue"),
        ("by name", "by name"),
        ("unfolded", "tick p99"),
        ("command", ":liveops flag set"),
        ("help", "go to a time"),
        ("detail", "runbook: https://wiki"),
        ("past", "EARLIER ([ ] move, Esc: now)"),
        ("asking", "asking"),
        ("warm", "at 2026-01-15 10:30:00Z it was CRITICAL"),
    ];
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        for (name, app) in panes((width, height)) {
            let (_, sign) = signs.iter().find(|(known, _)| *known == name).expect("every pane has its sign");
            let plain = picture(&app, (width, height), PLAIN);
            assert!(plain.contains(sign), "{name} {width}x{height}: {sign}\n{plain}");
            let coloured = picture(&app, (width, height), Look { colour: true, ..PLAIN });
            assert!(coloured.contains(sign), "{name} {width}x{height}");
            // Colour carries nothing that words do not; without it the chosen line has a sign.
            let words = |text: &str| {
                text.lines().take(usize::from(height)).map(|line| line.replacen('>', " ", 1)).collect::<Vec<_>>()
            };
            let bare = |lines: Vec<String>| lines.iter().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
            assert_eq!(bare(words(&plain)), bare(words(&coloured)), "{name} {width}x{height}");
            assert!(coloured.lines().count() > usize::from(height), "{name}: something is emphasised");
        }
    }
}

#[test]
fn undo_takes_back_nothing_that_does_not_belong_to_the_line() {
    let mut app = app((80, 24), &["LoginDown"]);
    assert_eq!(app.press(&KeyCode::Char('u').into()), None, "the incident has no suspect");
    assert!(app.message.as_deref().is_some_and(|said| said.contains("no change belongs to this line")));
    // A change that cannot be undone is not another one.
    press(&mut app, "jjj");
    assert_eq!(app.subject(), Some(Subject::Change(None)));
    assert_eq!(app.press(&KeyCode::Char('u').into()), None);
}

#[test]
fn undo_on_what_is_wrong_takes_back_the_first_suspect() {
    let mut app = app((80, 24), &["LoginDown"]);
    press(&mut app, "j");
    let undo = app.press(&KeyCode::Char('u').into());
    assert_eq!(undo, Some(Action::Run("undo c1".into())));
    let next = app.press(&KeyCode::Char('.').into());
    assert_eq!(next, None, "what may call people is read before it runs");
    assert!(screen(&app, (80, 24), PLAIN)[23].starts_with(":liveops incident open --from-alert LoginDown"));
    assert_eq!(app.press(&KeyCode::Enter.into()), Some(Action::Run("incident open --from-alert LoginDown".into())));
}

#[test]
fn time_goes_through_looks_and_beyond_them() {
    let mut app = app((80, 24), &["LoginDown"]);
    let now = app.newest().expect("a look").at;
    let minute = TimeDelta::minutes(1);
    assert_eq!(app.press(&KeyCode::Char('[').into()), Some(Action::Past(now - minute)), "nobody has seen it");
    app.insert(Board { at: now - minute, ..sample(&["TickSlow"]) });
    assert!(app.is_back());
    assert_eq!(app.press(&KeyCode::Char(']').into()), None);
    assert!(!app.is_back(), "the newest look is now");
    // A jump far back, and a step forward from there.
    let night = now - TimeDelta::hours(7);
    app.insert(Board { at: night, ..sample(&["TickSlow"]) });
    assert_eq!(app.press(&KeyCode::Char(']').into()), Some(Action::Past(night + minute)));
    app.press(&KeyCode::Esc.into());
    assert!(!app.is_back());
}

#[test]
fn what_is_opened_from_an_earlier_look_says_of_when_it_tells() {
    let mut app = app((80, 24), &["LoginDown"]);
    app.knows_past = true;
    let then = app.newest().expect("a look").at - TimeDelta::minutes(1);
    app.insert(Board { at: then, ..sample(&["TickSlow"]) });
    assert_eq!(app.then(), Some(then));
    assert_eq!(app.press(&KeyCode::Char('.').into()), None, "what was proposed then is not run now");
    press(&mut app, "G\nG");
    let kpi = "query --kpi 'queue p95' --plot --changes --at 2026-01-15T10:29:00Z";
    assert_eq!(app.press(&KeyCode::Enter.into()), Some(Action::Open(vec![kpi.into()])));
    app.mode = Mode::Detail(Detail {
        commands: vec!["alerts explain TickSlow".into()],
        not_of: app.then(),
        ..Detail::default()
    });
    let text = screen(&app, (80, 24), PLAIN).join("\n");
    assert!(text.contains("NOW, not 10:29:00Z  liveops alerts explain TickSlow"), "{text}");
    let again = app.press(&KeyCode::Char('R').into());
    assert_eq!(again, Some(Action::Open(vec!["alerts explain TickSlow".into()])), "R asks again what is open");
    press(&mut app, "q");
    app.press(&KeyCode::Esc.into());
    app.press(&KeyCode::Esc.into());
    assert!(!app.is_back() && app.unfolded);
    app.press(&KeyCode::Esc.into());
    assert!(!app.unfolded, "Esc folds what Enter unfolded");
}

#[test]
fn what_does_not_fit_says_how_much_is_below() {
    let mut app = app((80, 24), &["LoginDown"]);
    let line = |n: usize| ratatui_core::text::Line::from(format!("line {n}"));
    let lines = (0..40).map(line).collect();
    app.mode = Mode::Detail(Detail { commands: vec!["flag get x".into()], lines, ..Detail::default() });
    let below = |app: &App| {
        let text = screen(app, (80, 24), PLAIN);
        let seen = text.iter().rev().find_map(|row| row.strip_prefix("line ")?.parse::<usize>().ok()).expect("lines");
        (seen, text[23].clone())
    };
    let (seen, foot) = below(&app);
    assert!(foot.ends_with(&format!("  {} below", count(39 - seen, "more line"))), "{foot}");
    press(&mut app, "G");
    let (seen, foot) = below(&app);
    assert_eq!(seen, 39);
    assert!(!foot.contains("below"), "{foot}");
}

#[test]
fn a_proposed_command_is_whole_and_a_verdict_is_not_cut_where_it_wraps() {
    let next = format!("liveops incident open --sev p1 --service {} --title 'it is down'", "game-backend".repeat(3));
    for (width, height) in [(80, 24), (60, 15)] {
        let mut app = App::new(false, false);
        app.resize(width, height);
        // The first row is full with the last letter before a space.
        let first = "x".repeat(usize::from(width) - "+ CRITICAL  ".len());
        app.push(Board { next: Some(next.clone()), headline: format!("{first} unknown"), ..sample(&["LoginDown"]) });
        let text = screen(&app, (width, height), PLAIN);
        assert_eq!(text[0].chars().last(), Some('x'), "{}", text.join("\n"));
        assert_eq!(text[1], "unknown");
        let words = text.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&format!("next: {next}")), "{}", text.join("\n"));
    }
}

#[test]
fn what_shows_the_same_is_not_drawn_again() {
    let mut app = app((80, 24), &["LoginDown"]);
    let version = app.version;
    let second = sample(&["LoginDown"]);
    app.push(Board { at: second.at + TimeDelta::seconds(5), ..second });
    assert_eq!(app.version, version);
    app.push(sample(&["LoginDown", "TickSlow"]));
    assert!(app.version > version);
}

#[test]
fn answers_that_come_one_by_one_are_one_look_to_go_back_to() {
    let mut app = app((80, 24), &["A"]);
    let first = sample(&["A"]);
    for (seconds, name) in [(1, "B"), (2, "C"), (8, "D")] {
        app.push(Board { at: first.at + TimeDelta::seconds(seconds), ..sample(&[name]) });
    }
    assert_eq!(app.place(), (3, 3));
    app.go_to(first.at + TimeDelta::seconds(5));
    assert!(screen(&app, (80, 24), PLAIN).join("\n").contains("  ✖ C  "), "the last of a moment is the whole one");
}

#[test]
fn a_runbook_is_a_link_where_its_name_stands() {
    let app = app((80, 24), &["LoginDown"]);
    let area = Rect::new(0, 0, 80, 24);
    let mut links = Vec::new();
    draw(&app, area, &mut Buffer::empty(area), PLAIN, &mut links);
    let row = screen(&app, (80, 24), PLAIN).iter().position(|line| line.contains("firing 4m")).expect("drawn");
    assert_eq!(links, [ansi::Link { row, column: 4, width: 9, url: "https://wiki.example/LoginDown".into() }]);
}

#[test]
fn every_size_shows_the_verdict_the_chosen_line_and_the_keys() {
    let names: Vec<String> = (0..90).map(|n| format!("Alert{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for size in [(60, 15), (80, 24), (120, 40), (200, 60)] {
        for colour in [true, false] {
            let mut app = app(size, &names);
            for _ in 0..85 {
                app.press(&crossterm::event::KeyCode::Down.into());
            }
            let lines = screen(&app, size, Look { colour, ..PLAIN });
            assert!(lines[0].contains("CRITICAL  LoginDown, game-us down"), "{size:?} {}", lines[0]);
            assert!(lines.iter().any(|line| line.contains("Alert84")), "{size:?}\n{}", lines.join("\n"));
            assert!(lines.last().is_some_and(|line| line.contains("? keys")), "{size:?}");
            assert_eq!(lines.iter().any(|line| line.starts_with('>')), !colour, "{size:?}");
        }
    }
}

#[test]
fn escape_sequences_in_names_are_shown() {
    let lines = screen(&app((80, 24), &["a\x1b[2Jb"]), (80, 24), PLAIN).join("\n");
    assert!(lines.contains("a\\x1b[2Jb"), "{lines}");
}

#[test]
fn help_fits_on_the_smallest_screen() {
    let mut app = app((60, 15), &["LoginDown"]);
    app.press(&crossterm::event::KeyCode::Char('?').into());
    let text = screen(&app, (60, 15), PLAIN).join("\n");
    for (_, _, key, _, _) in KEYS {
        assert!(text.contains(key), "{key}\n{text}");
    }
}

#[test]
fn what_is_scrolled_away_and_what_is_unfolded_are_seen() {
    let names: Vec<String> = (0..40).map(|n| format!("Alert{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut app = app((80, 24), &names);
    let top = |app: &App| screen(app, (80, 24), PLAIN)[2].clone();
    assert!(top(&app).contains("Open incidents"), "{}", top(&app));
    press(&mut app, "G");
    assert!(top(&app).ends_with("above"), "{}", top(&app));
    press(&mut app, "\n");
    let text = screen(&app, (80, 24), PLAIN).join("\n");
    assert!(text.contains("tick p99") && text.contains("queue p95"), "{text}");
}

#[test]
fn a_recording_says_that_it_is_one_and_changes_nothing() {
    let mut app = App::new(false, true);
    app.resize(80, 24);
    let first = sample(&["LoginDown"]);
    let minute = TimeDelta::minutes(1);
    for n in 0..3 {
        app.push(Board { at: first.at + minute * n, ..first.clone() });
    }
    let text = |app: &App| screen(app, (80, 24), PLAIN).join("\n");
    assert!(text(&app).contains("2026-01-15 10:32:00Z  REPLAY, look 3 of 3"), "{}", text(&app));
    assert!(!text(&app).contains("next: "), "{}", text(&app));
    for key in ['.', 'u', 'a', 'n'] {
        assert_eq!(app.press(&KeyCode::Char(key).into()), None, "{key}");
        assert!(app.prompt.is_none(), "{key}");
    }
    app.go_to(first.at + minute + TimeDelta::seconds(30));
    assert_eq!(app.place(), (2, 3));
    app.go_to(first.at - minute);
    assert_eq!(app.place(), (1, 3));
}

#[test]
fn what_may_follow_stands_above_the_line_that_is_typed() {
    let mut app = app((80, 24), &["LoginDown"]);
    press(&mut app, ":flag ");
    app.message = Some("allow  block  diff".into());
    let text = screen(&app, (80, 24), PLAIN);
    assert_eq!((text[22].as_str(), text[23].as_str()), ("allow  block  diff", ":liveops flag"));
}

#[test]
fn a_verdict_that_is_cut_says_so() {
    let mut app = App::new(false, false);
    app.resize(80, 24);
    app.push(Board { headline: "something is wrong, ".repeat(20), ..sample(&[]) });
    assert!(screen(&app, (80, 24), PLAIN)[2].ends_with('…'));
    app.resize(80, 20);
    assert!(screen(&app, (80, 20), PLAIN)[1].ends_with('…'), "a low screen is for what is below");
}

#[test]
fn the_cursor_stays_on_its_line_while_others_come_and_go() {
    let mut app = app((80, 24), &["LoginDown", "TickSlow"]);
    press(&mut app, "jj");
    let slow = Some(Subject::Alert("TickSlow".into()));
    assert_eq!(app.subject(), slow);
    for names in [&["A", "B", "LoginDown", "TickSlow"][..], &["TickSlow"], &["B", "TickSlow", "Z"]] {
        app.push(sample(names));
        assert_eq!(app.subject(), slow, "{names:?}");
    }
}
