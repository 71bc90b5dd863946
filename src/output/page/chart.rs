//! Charts as inline SVG: classes instead of colours, so that light, dark and print are the page's; shapes and hatching
//! beside colour, so that grey paper tells the same.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use crate::output::block::Tone;
use crate::output::page::html::{class, text};
use crate::output::page::{Chart, Curve, Plot, SpanRow, WEEKDAYS, length};

/// Units of the picture; on a phone they are a bit less than a pixel, on a desk a bit more than one.
const WIDTH: f64 = 400.0;

const LEFT: f64 = 46.0;

const RIGHT: f64 = 12.0;

const TOP: f64 = 14.0;

const BOTTOM: f64 = 24.0;

const HEIGHT: f64 = 190.0;

/// Durations that people count in, in seconds.
const ROUND: [i64; 22] = [
    10, 30, 60, 120, 300, 600, 900, 1_200, 1_800, 2_700, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400, 172_800,
    345_600, 604_800, 1_209_600, 2_592_000, 7_776_000,
];

type Span = (DateTime<Utc>, DateTime<Utc>);

pub(super) fn draw(chart: &Chart, number: usize, out: &mut String) {
    let height = match &chart.plot {
        Plot::Spans { rows, .. } => TOP + BOTTOM + 22.0 * rows.len() as f64,
        Plot::Heat(_) => TOP + BOTTOM + 7.0 * 18.0,
        _ => HEIGHT,
    };
    let _ = write!(
        out,
        "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-labelledby=\"t{number} d{number}\">\n<title id=\"t{number}\">{}</title>\n<desc id=\"d{number}\">{}</desc>\n",
        text(&chart.title),
        text(&chart.description)
    );
    match &chart.plot {
        Plot::Columns { labels, series } => columns(labels, series, number, out),
        Plot::Dots { points, levels, span } => dots(points, levels, *span, out),
        Plot::Lines(lines) => shares(lines, out),
        Plot::Spans { rows, span } => spans(rows, *span, height, out),
        Plot::Heat(days) => heat(days, out),
    }
    out.push_str("</svg>\n");
}

fn label(x: f64, y: f64, anchor: &str, words: &str, out: &mut String) {
    let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", text(words));
}

fn rule(y: f64, out: &mut String) {
    let _ = writeln!(out, "<path class=\"rule\" d=\"M{LEFT} {y:.1}H{:.1}\"/>", WIDTH - RIGHT);
}

/// A place between the sides.
fn across(share: f64) -> f64 {
    LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
}

fn at(time: DateTime<Utc>, (from, to): Span) -> f64 {
    across((time - from).num_seconds() as f64 / ((to - from).num_seconds() as f64).max(1.0))
}

/// Days below a picture whose width is time.
fn days(span: Span, y: f64, out: &mut String) {
    for part in 0..=3 {
        let time = span.0 + (span.1 - span.0) / 3 * part;
        let anchor = match part {
            0 => "start",
            3 => "end",
            _ => "middle",
        };
        let form = if (span.1 - span.0).num_days() < 3 { "%d %b %H:%M" } else { "%d %b" };
        label(across(f64::from(part) / 3.0), y, anchor, &time.format(form).to_string(), out);
    }
}

fn columns(labels: &[String], series: &[(&'static str, Tone, Vec<usize>)], number: usize, out: &mut String) {
    let sum = |at: usize| series.iter().filter_map(|(_, _, values)| values.get(at)).sum::<usize>();
    let highest = (0..labels.len()).map(sum).max().unwrap_or(0).max(1);
    // Levels that are whole, and as far from each other.
    let levels: Vec<usize> = match highest {
        1..=4 => (0..=highest).collect(),
        _ => vec![0, highest.div_ceil(2), highest.div_ceil(2) * 2],
    };
    let highest = levels.last().copied().unwrap_or(highest);
    let _ = writeln!(
        out,
        "<defs><pattern id=\"h{number}\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><path class=\"hatch\" d=\"M0 0V5\"/></pattern></defs>"
    );
    let room = HEIGHT - TOP - BOTTOM - 14.0;
    let floor = HEIGHT - BOTTOM;
    for level in levels {
        let y = floor - level as f64 / highest as f64 * room;
        rule(y, out);
        label(LEFT - 6.0, y + 4.0, "end", &level.to_string(), out);
    }
    let step = (WIDTH - LEFT - RIGHT) / labels.len().max(1) as f64;
    let every = labels.len().div_ceil(7).max(1);
    for (place, name) in labels.iter().enumerate() {
        let (x, mut y) = (LEFT + step * place as f64 + step * 0.15, floor);
        for (index, (what, tone, values)) in series.iter().enumerate() {
            let value = values.get(place).copied().unwrap_or(0);
            if value == 0 {
                continue;
            }
            let tall = value as f64 / highest as f64 * room;
            y -= tall;
            let area = format!("x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{tall:.1}\"", step * 0.7);
            let told = format!("<title>{}: {value} {what}</title>", text(name));
            let _ = writeln!(out, "<rect class=\"fill {}\" {area}>{told}</rect>", class(*tone));
            // On grey paper the second is told by its hatching.
            if index > 0 {
                let _ = writeln!(out, "<rect fill=\"url(#h{number})\" {area}>{told}</rect>");
            }
        }
        if place % every == 0 {
            label(x + step * 0.35, HEIGHT - 8.0, "middle", name, out);
        }
    }
    let mut x = LEFT;
    for (index, (what, tone, _)) in series.iter().enumerate().filter(|_| series.len() > 1) {
        let _ =
            writeln!(out, "<rect class=\"fill {}\" x=\"{x:.1}\" y=\"3\" width=\"10\" height=\"10\"/>", class(*tone));
        if index > 0 {
            let _ = writeln!(out, "<rect fill=\"url(#h{number})\" x=\"{x:.1}\" y=\"3\" width=\"10\" height=\"10\"/>");
        }
        label(x + 14.0, 12.0, "start", what, out);
        x += 30.0 + 7.0 * what.len() as f64;
    }
}

fn dots(points: &[(DateTime<Utc>, i64)], levels: &[(i64, String)], span: Span, out: &mut String) {
    let values = || points.iter().map(|(_, seconds)| *seconds).chain(levels.iter().map(|(seconds, _)| *seconds));
    let power = |seconds: i64| (seconds.max(1) as f64).ln();
    let (low, high) = (power(values().min().unwrap_or(1)), power(values().max().unwrap_or(1)));
    let (low, high) = (low - 0.35, high + 0.35);
    let y = |seconds: i64| HEIGHT - BOTTOM - (power(seconds) - low) / (high - low) * (HEIGHT - TOP - BOTTOM);
    let round: Vec<i64> = ROUND.into_iter().filter(|seconds| (low..=high).contains(&power(*seconds))).collect();
    for seconds in round.iter().copied().step_by(round.len().div_ceil(5).max(1)) {
        rule(y(seconds), out);
        label(LEFT - 6.0, y(seconds) + 4.0, "end", &length(Some(seconds)), out);
    }
    for (seconds, name) in levels {
        let level = y(*seconds);
        let _ = writeln!(out, "<path class=\"level\" d=\"M{LEFT} {level:.1}H{:.1}\"/>", WIDTH - RIGHT);
        label(WIDTH - RIGHT, level - 4.0, "end", name, out);
    }
    for (time, seconds) in points {
        let _ = writeln!(
            out,
            "<circle class=\"fill line\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\"><title>{}: {}</title></circle>",
            at(*time, span),
            y(*seconds),
            time.format("%F %H:%M"),
            length(Some(*seconds))
        );
    }
    days(span, HEIGHT - 8.0, out);
}

fn shares(lines: &[Curve], out: &mut String) {
    let all = || lines.iter().flat_map(|(_, points)| points);
    let (Some(from), Some(to)) = (all().map(|(at, _)| *at).min(), all().map(|(at, _)| *at).max()) else {
        return;
    };
    let low = all().map(|(_, share)| *share).fold(0.0_f64, f64::min).max(-1.0);
    let y = |share: f64| HEIGHT - BOTTOM - (share.clamp(low, 1.0) - low) / (1.0 - low) * (HEIGHT - TOP - BOTTOM);
    for share in [low, f64::midpoint(low, 1.0), 1.0] {
        rule(y(share), out);
        label(LEFT - 6.0, y(share) + 4.0, "end", &format!("{:.0} %", share * 100.0), out);
    }
    for (index, (name, points)) in lines.iter().enumerate() {
        let mut path = String::new();
        for (time, share) in points {
            let lead = if path.is_empty() { "M" } else { "L" };
            let _ = write!(path, "{lead}{:.1} {:.1}", at(*time, (from, to)), y(*share));
        }
        let _ = writeln!(out, "<path class=\"curve c{}\" d=\"{path}\"><title>{}</title></path>", index % 4, text(name));
        if let Some((_, last)) = points.last() {
            label(WIDTH - RIGHT, y(*last) - 5.0, "end", name, out);
        }
    }
    days((from, to), HEIGHT - 8.0, out);
}

fn spans(rows: &[SpanRow], span: Span, height: f64, out: &mut String) {
    for (place, row) in rows.iter().enumerate() {
        let y = TOP + 22.0 * place as f64;
        let (from, to) = (at(row.from.max(span.0), span), at(row.to.unwrap_or(span.1), span));
        let _ = writeln!(out, "<path class=\"rule\" d=\"M0 {:.1}H{WIDTH}\"/>", y + 19.0);
        let _ = writeln!(
            out,
            "<rect class=\"fill {}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"12\" rx=\"2\"><title>{}: {} to {}</title></rect>",
            class(row.tone),
            y + 3.0,
            (to - from).max(4.0),
            text(&row.label),
            row.from.format("%F %H:%M"),
            row.to.map_or_else(|| "now".to_owned(), |to| to.format("%F %H:%M").to_string())
        );
        // The name stands where the bar leaves it room.
        let (x, anchor) =
            if from > WIDTH * 0.55 { (from - 5.0, "end") } else { (from + (to - from).max(4.0) + 5.0, "start") };
        let room = if anchor == "end" { x } else { WIDTH - x };
        let fits = (room / 7.0).max(6.0) as usize;
        let name: String = match row.label.chars().count() > fits {
            true => row.label.chars().take(fits.saturating_sub(1)).chain(['…']).collect(),
            false => row.label.clone(),
        };
        label(x, y + 13.0, anchor, &name, out);
    }
    days(span, height - 8.0, out);
}

fn heat(days: &[Vec<usize>], out: &mut String) {
    let highest = days.iter().flatten().copied().max().unwrap_or(0).max(1);
    let step = (WIDTH - LEFT - RIGHT) / 24.0;
    for (row, (day, hours)) in WEEKDAYS.iter().zip(days).enumerate() {
        let y = TOP + 18.0 * row as f64;
        label(LEFT - 6.0, y + 13.0, "end", day, out);
        for (hour, n) in hours.iter().enumerate() {
            let x = LEFT + step * hour as f64;
            let depth = (n * 4).div_ceil(highest).min(4);
            let _ = writeln!(
                out,
                "<rect class=\"heat h{depth}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"16\"><title>{day} {hour}:00: {n}</title></rect>",
                step - 2.0
            );
            if *n > 0 {
                let ink = if depth > 2 { " class=\"on\"" } else { "" };
                let _ = writeln!(
                    out,
                    "<text{ink} x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{n}</text>",
                    x + step / 2.0 - 1.0,
                    y + 12.5
                );
            }
        }
    }
    for hour in [0, 6, 12, 18] {
        label(LEFT + step * f64::from(hour), TOP + 7.0 * 18.0 + 14.0, "start", &format!("{hour}:00"), out);
    }
}
