//! Draws the state into a buffer. At 80×24 one column; two where there is room.

use liveops_domain::text::count::count;
use liveops_domain::text::escape::escape;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};
use ratatui_core::text::{Line, Span};

use crate::commands::watch::ansi::{Link, wrapped};
use crate::commands::watch::board::{Board, Item, Section};
use crate::commands::watch::keys::{CHANGES, KEYS};
use crate::commands::watch::state::{App, Detail, Mode, Purpose, Row};
use crate::output::block::{self, Tone};

/// How the terminal is drawn on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) colour: bool,
    pub(crate) unicode: bool,
}

impl Look {
    fn style(self, tone: Tone) -> Style {
        let style = Style::default();
        let coloured = |colour: Color| if self.colour { style.fg(colour) } else { style };
        match tone {
            Tone::Plain | Tone::Series(_) => style,
            Tone::Strong => style.add_modifier(Modifier::BOLD),
            Tone::Dim => style.add_modifier(Modifier::DIM),
            Tone::Good => coloured(Color::Green),
            // As on `status`.
            Tone::Warn => coloured(Color::Yellow).add_modifier(Modifier::BOLD),
            Tone::Bad => coloured(Color::Red).add_modifier(Modifier::BOLD),
            Tone::Unknown => coloured(Color::Magenta),
            Tone::Command => coloured(Color::Cyan),
        }
    }

    fn span(self, span: &block::Span) -> Span<'static> {
        Span::styled(escape(&span.text).into_owned(), self.style(span.tone))
    }

    fn toned(self, text: impl Into<String>, tone: Tone) -> Span<'static> {
        Span::styled(text.into(), self.style(tone))
    }

    fn pick(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.unicode { unicode } else { ascii }
    }

    fn mark(self, tone: Tone) -> Span<'static> {
        let text = match tone {
            Tone::Good => self.pick("●", "+"),
            Tone::Warn => self.pick("▲", "!"),
            Tone::Bad => self.pick("✖", "x"),
            Tone::Unknown => "?",
            _ => self.pick("·", "-"),
        };
        self.toned(text, tone)
    }
}

/// The whole screen, and the links on it. Gives the place of the cursor while a line is typed.
pub(crate) fn draw(
    app: &App,
    area: Rect,
    buffer: &mut Buffer,
    look: Look,
    links: &mut Vec<Link>,
) -> Option<(u16, u16)> {
    links.clear();
    let head = head(app, area, look);
    for (row, line) in (0u16..).zip(&head) {
        put(buffer, area, row, 0, line, area.width, look);
    }
    let top = u16::try_from(head.len()).unwrap_or(2);
    let mut body = Rect { y: area.y + top, height: area.height.saturating_sub(top + 1), ..area };
    match &app.mode {
        Mode::Lists => {
            // What was proposed then is not proposed now.
            let now = app.board().filter(|_| app.then().is_none());
            if let Some(next) = now.and_then(|board| board.next.as_deref()) {
                // A command that is cut cannot be judged before it runs.
                let line = Line::from(vec![
                    look.toned("next: ", Tone::Dim),
                    look.toned(escape(next).into_owned(), Tone::Command),
                ]);
                let rows = wrapped(line, usize::from(area.width));
                let rows = &rows[..rows.len().min(2)];
                let used = u16::try_from(rows.len()).unwrap_or(1);
                body.height = body.height.saturating_sub(used);
                for (row, line) in (area.height.saturating_sub(used + 1)..).zip(rows) {
                    put(buffer, area, row, 0, line, area.width, look);
                }
            }
            lists(app, body, buffer, look, links);
        }
        Mode::Detail(detail) => opened(detail, body, buffer, look, links),
        Mode::Help => help(app, body, buffer, look),
    }
    // Below the title of what is opened.
    foot(app, usize::from(body.height).saturating_sub(1), area, buffer, look)
}

/// The verdict with its names; where, when, and what is odd about this look.
fn head(app: &App, area: Rect, look: Look) -> Vec<Line<'static>> {
    let Some(board) = app.board() else {
        return vec![Line::from(look.toned("liveops watch  asking", Tone::Dim))];
    };
    let verdict = Line::from(vec![
        look.mark(board.verdict.tone),
        Span::raw(" "),
        look.span(&board.verdict),
        Span::raw("  "),
        Span::styled(escape(&board.headline).into_owned(), look.style(Tone::Strong)),
    ]);
    // The names of what is wrong are not cut where a few lines hold them.
    let most = if area.height < TALL { 2 } else { 3 };
    let mut lines = wrapped(verdict, usize::from(area.width));
    if lines.len() > most {
        lines.truncate(most);
        lines[most - 1].push_span(look.toned(look.pick(" …", " ..."), Tone::Dim));
    }
    lines.push(Line::from(frame(app, board, look)));
    lines
}

fn frame(app: &App, board: &Board, look: Look) -> Vec<Span<'static>> {
    let mut spans = vec![
        look.toned(format!("  {}  ", escape(&board.place)), Tone::Plain),
        // To the minute: a screen on which nothing changes sends nothing.
        look.toned(
            board.at.format(if app.then().is_some() { "%Y-%m-%d %H:%M:%SZ" } else { "%H:%MZ" }).to_string(),
            Tone::Dim,
        ),
    ];
    if app.replaying {
        let (nth, all) = app.place();
        spans.push(look.toned(format!("  REPLAY, look {nth} of {all} ([ ] move, t: go to)"), Tone::Warn));
    } else if app.is_back() {
        spans.push(look.toned("  EARLIER ([ ] move, Esc: now)", Tone::Warn));
    }
    for (on, text) in
        [(app.paused && !app.replaying, "  PAUSED (space)"), (app.read_only && !app.replaying, "  read-only")]
    {
        if on {
            spans.push(look.toned(text, Tone::Warn));
        }
    }
    if let Some(file) = &app.recording {
        spans.push(look.toned(format!("  recording {}", escape(file)), Tone::Warn));
    }
    if !app.filter.is_empty() {
        spans.push(look.toned(format!("  /{}", escape(&app.filter)), Tone::Command));
    }
    if app.by_name {
        spans.push(look.toned("  by name", Tone::Dim));
    }
    spans
}

fn lists(app: &App, body: Rect, buffer: &mut Buffer, look: Look, links: &mut Vec<Link>) {
    if app.panes() == 1 {
        return pane(app, 0, body, buffer, look, links);
    }
    let left = body.width * 3 / 5;
    pane(app, 0, Rect { width: left - 1, ..body }, buffer, look, links);
    pane(app, 1, Rect { x: body.x + left, width: body.width - left, ..body }, buffer, look, links);
}

/// A pane, scrolled so that the chosen line is seen.
fn pane(app: &App, pane: usize, area: Rect, buffer: &mut Buffer, look: Look, links: &mut Vec<Link>) {
    let rows = app.rows(pane);
    if rows.is_empty() && pane == 0 {
        let text = match app.board() {
            None => "",
            Some(_) if app.filter.is_empty() => "nothing to show",
            Some(_) => "no line has these letters; Esc ends the filter",
        };
        return put(buffer, area, 0, 2, &Line::from(text), area.width, look);
    }
    let room = usize::from(area.height);
    let chosen = app.chosen[pane];
    // The title of the first section stays in sight.
    let top = if chosen < room.saturating_sub(1) { 0 } else { chosen + 2 - room.min(chosen + 2) };
    let hidden = rows.len().saturating_sub(top + room);
    for (row, (at, line)) in (0u16..).zip(rows.iter().enumerate().skip(top).take(room)) {
        let beyond = |n: usize, place: &str| {
            let text = format!("  {} {} {place}", look.pick("…", "..."), count(n + 1, "more line"));
            Line::from(look.toned(text, Tone::Dim))
        };
        let drawn = match line {
            _ if top > 0 && row == 0 => beyond(top, "above"),
            _ if hidden > 0 && usize::from(row) + 1 == room => beyond(hidden, "below"),
            Row::Title(section) => title(section, area.width, look),
            Row::Item(item) => {
                links.extend(link(item, area, row));
                self::item(item, usize::from(area.width), look)
            }
            Row::Folded(n) => Line::from(vec![
                Span::raw("  "),
                look.mark(Tone::Good),
                Span::raw(format!(" {} as {} should be", count(*n, "thing"), if *n == 1 { "it" } else { "they" })),
                look.toned("  Enter unfolds", Tone::Dim),
            ]),
            Row::Blank => Line::default(),
        };
        put(buffer, area, row, 0, &drawn, area.width, look);
        if at == chosen && pane == app.focus && line.can_be_chosen() {
            let line = Rect { x: area.x, y: area.y + row, width: area.width, height: 1 };
            // One bar: its colours turned one by one would be patches.
            let bar = Style::default().fg(Color::Reset).add_modifier(Modifier::REVERSED);
            buffer.set_style(line, bar.remove_modifier(Modifier::DIM));
            if !look.colour {
                put(buffer, area, row, 0, &Line::from(">"), area.width, look);
            }
        }
    }
}

/// The name of a section, and at the right the command that prints it.
fn title(section: &Section, width: u16, look: Look) -> Line<'static> {
    let name = section.kind.title();
    let command = format!("liveops {}", section.kind.words());
    let stale = section.stale.as_ref().map_or_else(String::new, |text| format!("  {text}"));
    let used = name.len() + stale.chars().count() + command.len();
    let gap = usize::from(width).saturating_sub(used + 1).max(2);
    Line::from(vec![
        look.toned(name, Tone::Strong),
        look.toned(stale, Tone::Unknown),
        Span::raw(" ".repeat(gap)),
        look.toned(command, Tone::Dim),
    ])
}

/// Rows that have room for a verdict of three lines.
const TALL: u16 = 24;

/// Columns that have room for every key of the last line.
const ALL_KEYS: u16 = 66;

/// Cells before the text of a line: the cursor, and its mark.
const INDENT: usize = 4;

fn item(item: &Item, width: usize, look: Look) -> Line<'static> {
    let mut spans = vec![Span::raw("  "), look.mark(item.tone), Span::raw(" ")];
    spans.extend(item.spans.iter().map(|span| look.span(span)));
    // Of an error the end says most.
    let over = Line::from(spans.clone()).width().saturating_sub(width);
    if let (true, Some(last)) = (over > 0 && item.subject.ends_with_error(), spans.last_mut()) {
        let kept: String = last.content.chars().skip(over + 1).collect();
        if !kept.is_empty() {
            // No word is broken.
            let kept = kept.split_once(' ').map_or(kept.as_str(), |(_, words)| words);
            last.content = format!("{} {kept}", look.pick("…", ">")).into();
        }
    }
    if let Some(name) = spans.get_mut(INDENT - 1).filter(|_| item.link.is_some()) {
        name.style = name.style.add_modifier(Modifier::UNDERLINED);
    }
    Line::from(spans)
}

/// The name of a line as a link, where it leads somewhere.
fn link(item: &Item, area: Rect, row: u16) -> Option<Link> {
    let url = item.link.as_ref().filter(|url| is_address(url))?;
    let room = usize::from(area.width).saturating_sub(INDENT);
    let width = Line::from(item.spans.first()?.text.as_str()).width().min(room);
    Some(Link { row: usize::from(area.y + row), column: usize::from(area.x) + INDENT, width, url: url.clone() })
}

/// Can it be sent to a terminal as the address of a link? Nothing else than letters and signs may stand in it.
fn is_address(url: &str) -> bool {
    (url.starts_with("https://") || url.starts_with("http://")) && url.chars().all(|c| c.is_ascii_graphic())
}

fn opened(detail: &Detail, area: Rect, buffer: &mut Buffer, look: Look, links: &mut Vec<Link>) {
    let commands: Vec<String> = detail.commands.iter().map(|words| format!("liveops {words}")).collect();
    let mut title = Vec::new();
    if let Some(at) = detail.not_of {
        title.push(look.toned(format!("NOW, not {}  ", at.format("%H:%M:%SZ")), Tone::Warn));
    }
    title.push(look.toned(commands.join("; "), Tone::Command));
    let title = Line::from(title);
    put(buffer, area, 0, 0, &title, area.width, look);
    if detail.loading {
        put(buffer, area, 1, 0, &Line::from(look.toned("asking", Tone::Dim)), area.width, look);
    }
    let room = usize::from(area.height).saturating_sub(1);
    for (row, line) in (1u16..).zip(detail.lines.iter().skip(detail.top).take(room)) {
        put(buffer, area, row, 0, line, area.width, look);
    }
    let seen = detail.links.iter().filter(|link| (detail.top..detail.top + room).contains(&link.row));
    let top = usize::from(area.y) + 1;
    links.extend(seen.map(|link| Link { row: link.row - detail.top + top, ..link.clone() }));
    for link in links {
        let cells = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        let (x, y, width) = (cells(link.column), cells(link.row), cells(link.width));
        let cells = Rect { x, y, width, height: 1 }.intersection(area);
        buffer.set_style(cells, Style::default().add_modifier(Modifier::UNDERLINED));
    }
}

fn help(app: &App, area: Rect, buffer: &mut Buffer, look: Look) {
    let known = KEYS.iter().filter(|(_, _, _, what, _)| !what.is_empty());
    let known = known.filter(|(key, ..)| !app.read_only || !CHANGES.contains(key));
    let rows: Vec<Line<'static>> = known
        .map(|(_, _, key, what, _)| Line::from(vec![look.toned(format!("  {key:<8}"), Tone::Strong), Span::raw(*what)]))
        .collect();
    // Two columns where one is too long.
    let room = usize::from(area.height).max(1);
    let wide = area.width / 2;
    for (at, line) in rows.iter().enumerate() {
        let (column, row) = (at / room, at % room);
        let x = wide * u16::try_from(column).unwrap_or(0);
        put(buffer, area, u16::try_from(row).unwrap_or(0), x, line, area.width.saturating_sub(x), look);
    }
}

/// What is typed, what the last key came to, or the keys that matter most.
fn foot(app: &App, seen: usize, area: Rect, buffer: &mut Buffer, look: Look) -> Option<(u16, u16)> {
    let row = area.height.saturating_sub(1);
    if let Some((purpose, input)) = &app.prompt {
        let label = match purpose {
            Purpose::Command => ":liveops ",
            Purpose::Filter => "/",
            Purpose::Note => "note: ",
            Purpose::Record => "record to file: ",
            Purpose::Time => "go to (03:12, -2h, 2026-01-15 10:30): ",
        };
        if let Some(message) = &app.message {
            // What may follow: above the line that is typed.
            let lines =
                wrapped(Line::from(look.toned(escape(message).into_owned(), Tone::Warn)), usize::from(area.width));
            let first = row.saturating_sub(u16::try_from(lines.len()).unwrap_or(row));
            for (at, line) in (first..row).zip(&lines) {
                let whole = Rect { y: area.y + at, height: 1, ..area };
                buffer.set_style(whole, Style::reset());
                buffer.set_string(area.x, area.y + at, " ".repeat(usize::from(area.width)), Style::default());
                put(buffer, area, at, 0, line, area.width, look);
            }
        }
        let room = usize::from(area.width).saturating_sub(label.len() + 1);
        let hidden = input.visual_scroll(room);
        let shown: String = input.value().chars().skip(hidden).collect();
        let line = Line::from(vec![look.toned(label, Tone::Command), Span::raw(escape(&shown).into_owned())]);
        put(buffer, area, row, 0, &line, area.width, look);
        let column = label.len() + input.visual_cursor().saturating_sub(hidden);
        return Some((area.x + u16::try_from(column).unwrap_or(0).min(area.width - 1), area.y + row));
    }
    let text = match (&app.message, &app.mode) {
        (Some(message), _) => Line::from(look.toned(escape(message).into_owned(), Tone::Warn)),
        (None, Mode::Detail(detail)) => {
            let below = detail.lines.len().saturating_sub(detail.top + seen);
            let below = if below > 0 { format!("  {} below", count(below, "more line")) } else { String::new() };
            Line::from(vec![
                look.toned("Esc back  j k scroll  R again  y copy  ? keys", Tone::Dim),
                look.toned(below, Tone::Warn),
            ])
        }
        (None, Mode::Help) => Line::from(look.toned("Esc back", Tone::Dim)),
        (None, Mode::Lists) => {
            let undo = if app.read_only { "" } else { "u undo  " };
            let proposes = app.board().is_some_and(|board| board.next.is_some()) && app.then().is_none();
            let next = if proposes && area.width >= ALL_KEYS { ". next  " } else { "" };
            Line::from(look.toned(format!("Enter open  {next}/ filter  : command  {undo}? keys  q quit"), Tone::Dim))
        }
    };
    put(buffer, area, row, 0, &text, area.width, look);
    None
}

/// A line at its place, cut at the width with a sign that it is.
fn put(buffer: &mut Buffer, area: Rect, row: u16, column: u16, line: &Line<'_>, width: u16, look: Look) {
    if row >= area.height || column >= area.width {
        return;
    }
    let (x, y) = (area.x + column, area.y + row);
    let room = width.min(area.width - column);
    buffer.set_line(x, y, line, room);
    if line.width() > usize::from(room) && room > 0 {
        buffer.set_string(x + room - 1, y, look.pick("…", ">"), Style::default());
    }
}
