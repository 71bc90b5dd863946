//! A series as a small SVG, to stand beside a document: one line, its axes, thresholds, and marked moments.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use crate::text::gaps::runs;

const WIDTH: f64 = 760.0;

const HEIGHT: f64 = 220.0;

const LEFT: f64 = 74.0;

const RIGHT: f64 = 16.0;

const TOP: f64 = 34.0;

const BOTTOM: f64 = 26.0;

/// What is drawn.
pub struct Chart<'a> {
    pub title: &'a str,
    /// In the order of time.
    pub points: &'a [(DateTime<Utc>, f64)],
    /// The same time a week before, moved to this week: drawn dim.
    pub before: &'a [(DateTime<Utc>, f64)],
    /// Moments with their names.
    pub marks: &'a [(DateTime<Utc>, &'a str)],
    /// Levels with their names.
    pub levels: &'a [(f64, &'a str)],
    /// How a value is written.
    pub show: &'a dyn Fn(f64) -> String,
}

impl Chart<'_> {
    /// The document; `None` when there is nothing to draw.
    pub fn draw(&self) -> Option<String> {
        let finite = |points: &[(DateTime<Utc>, f64)]| -> Vec<(DateTime<Utc>, f64)> {
            points.iter().copied().filter(|(_, value)| value.is_finite()).collect()
        };
        let (points, before) = (finite(self.points), finite(self.before));
        let (first, last) = (points.first()?.0, points.last()?.0);
        let span = ((last - first).num_milliseconds() as f64).max(1.0);
        let values = points.iter().chain(&before).map(|(_, value)| *value);
        let low = values.clone().fold(0.0_f64, f64::min);
        let high = values.fold(f64::MIN, f64::max);
        // A level far above the line would press it flat.
        let levels: Vec<&(f64, &str)> =
            self.levels.iter().filter(|(level, _)| level.is_finite() && *level <= high * 2.0).collect();
        let high = levels.iter().fold(high, |high, (level, _)| high.max(*level));
        let high = if high > low { high } else { low + 1.0 };
        let x = |at: DateTime<Utc>| LEFT + (at - first).num_milliseconds() as f64 / span * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"{LEFT}\" y=\"16\" font-size=\"13\" font-weight=\"bold\">{}</text>\n",
            escape(self.title)
        );
        for part in 0..=4 {
            let value = low + (high - low) * f64::from(part) / 4.0;
            let _ = writeln!(
                svg,
                "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{1:.1}\" y2=\"{1:.1}\" stroke=\"#e4e4e4\"/><text x=\"{2}\" y=\"{3:.1}\" text-anchor=\"end\" fill=\"#555\">{4}</text>",
                WIDTH - RIGHT,
                y(value),
                LEFT - 6.0,
                y(value) + 4.0,
                escape(&(self.show)(value))
            );
        }
        for (level, name) in levels {
            let _ = writeln!(
                svg,
                "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{1:.1}\" y2=\"{1:.1}\" stroke=\"#c0392b\" stroke-dasharray=\"2 3\"/><text x=\"{0}\" y=\"{2:.1}\" text-anchor=\"end\" fill=\"#c0392b\">{3}</text>",
                WIDTH - RIGHT,
                y(*level),
                y(*level) - 3.0,
                escape(name)
            );
        }
        for (index, (at, name)) in self.marks.iter().enumerate() {
            if *at < first || *at > last {
                continue;
            }
            // Names of moments that are close would lie on each other.
            let height = TOP - 8.0 + if index % 2 == 0 { 0.0 } else { 11.0 };
            let _ = writeln!(
                svg,
                "<line x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{TOP}\" y2=\"{1}\" stroke=\"#8e44ad\"/><text x=\"{2:.1}\" y=\"{height}\" fill=\"#8e44ad\">{3}</text>",
                x(*at),
                HEIGHT - BOTTOM,
                x(*at) + 3.0,
                escape(name)
            );
        }
        let path = |points: &[(DateTime<Utc>, f64)]| {
            points.iter().fold(String::new(), |mut text, (at, value)| {
                let _ = write!(text, "{:.1},{:.1} ", x(*at), y(*value));
                text
            })
        };
        if !before.is_empty() {
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"#b0b0b0\" stroke-dasharray=\"4 3\"/>",
                path(&before).trim_end()
            );
        }
        for run in runs(&points) {
            // A sample between two gaps is a point.
            let cap = if run.len() == 1 { " stroke-linecap=\"round\"" } else { "" };
            let run = if run.len() == 1 { [run, run].concat() } else { run.to_vec() };
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"#2471a3\" stroke-width=\"1.6\"{cap}/>",
                path(&run).trim_end()
            );
        }
        for (at, anchor) in [(first, "start"), (first + (last - first) / 2, "middle"), (last, "end")] {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"{anchor}\" fill=\"#555\">{}</text>",
                x(at),
                HEIGHT - 8.0,
                at.format("%F %H:%M")
            );
        }
        svg.push_str("</svg>\n");
        Some(svg)
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_series_is_drawn_and_nothing_is_not() {
        let start = DateTime::<Utc>::default();
        let points: Vec<_> = (0..10_i32)
            .map(|n| (start + TimeDelta::minutes(i64::from(n)), if n == 3 { f64::NAN } else { f64::from(n) }))
            .collect();
        let chart = |points| {
            Chart {
                title: "a <b> & c",
                points,
                before: &[],
                marks: &[(start + TimeDelta::minutes(4), "opened")],
                levels: &[(5.0, "critical"), (1e9, "far")],
                show: &|value| format!("{value:.0}"),
            }
            .draw()
        };
        let svg = chart(&points).expect("something to draw");
        assert!(svg.contains("a &lt;b&gt; &amp; c") && svg.contains(">opened<"));
        assert!(svg.contains(">critical<") && !svg.contains(">far<") && !svg.contains("NaN"));
        assert_eq!(chart(&[]), None);
    }
}
