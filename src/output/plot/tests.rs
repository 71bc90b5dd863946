//! Whole plots, compared as text, and the bounds that hold for every plot.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_oneof};
use unicode_width::UnicodeWidthStr;

use crate::output::plot::*;

fn start() -> DateTime<Utc> {
    "2026-05-01T11:00:00Z".parse().expect("a valid instant")
}

fn series(name: &str, minutes: &[(i64, f64)]) -> PlotSeries {
    PlotSeries {
        name: name.to_owned(),
        points: minutes.iter().map(|(minute, value)| (start() + TimeDelta::minutes(*minute), *value)).collect(),
    }
}

fn hour(series: Vec<PlotSeries>) -> Plot {
    Plot {
        series,
        start: start(),
        end: start() + TimeDelta::hours(1),
        title: None,
        format: Box::new(|value| format!("{value}")),
        thresholds: Vec::new(),
        moments: Vec::new(),
    }
}

fn text(lines: &[PlotLine]) -> Vec<String> {
    let join = |line: &PlotLine| line.iter().map(|(text, _)| text.as_str()).collect();
    lines.iter().map(join).collect()
}

fn canvas(width: usize, height: usize, ascii: bool) -> Canvas {
    Canvas { width, height, ascii }
}

#[test]
fn a_slope_with_a_gap_in_braille() {
    let mut plot = hour(vec![series("up", &[(0, 0.0), (15, 5.0), (30, f64::NAN), (45, 5.0), (60, 10.0)])]);
    plot.title = Some("players".to_owned());
    assert_eq!(
        text(&plot.draw(&canvas(44, 10, false))),
        [
            "players         2026-05-01 11:00 – 12:00 UTC",
            " 10 ┤                                   ⢀⡠⠔⠊",
            "    │                               ⢀⡠⠔⠊⠁",
            "  5 ┤        ⣀⠤                   ⠔⠊⠁",
            "    │    ⣀⠤⠒⠉",
            "  0 ┤⣀⠤⠒⠉",
            "    └┬──────────────────┬──────────────────┬",
            "UTC 11:00             11:30            12:00",
            "      last  min  max",
            "⠒ up    10    0   10",
        ]
    );
}

#[test]
fn two_series_and_a_threshold_in_ascii() {
    let mut plot =
        hour(vec![series("eu", &[(0, 0.0), (30, 8.0), (60, 8.0)]), series("us", &[(0, 8.0), (30, 8.0), (60, 0.0)])]);
    plot.thresholds = vec![(4.0, "slo".to_owned()), (1000.0, "page".to_owned())];
    let lines = plot.draw(&canvas(40, 12, true));
    assert_eq!(
        text(&lines),
        [
            " 10 +                        ^ page 1000",
            "    |bbbbbbbbbbbbbbbbabaaaaaaaaaaaaaaaaa",
            "    |            aaaa   bbbb",
            "  5 +         aaa           bbb",
            "    |- - - aaa - - - - - - - - bbb slo 4",
            "    |  aaaa                       bbbb",
            "  0 +aa                               bb",
            "    ++----------------+----------------+",
            "UTC 11:00           11:30          12:00",
            "      last  min  max",
            "a eu     8    0    8",
            "b us     0    0    8",
        ]
    );
    let inks: Vec<Ink> = lines[4].iter().map(|(_, ink)| *ink).collect();
    assert!(inks.starts_with(&[Ink::Axis, Ink::Threshold]), "{inks:?}");
    assert!(inks.contains(&Ink::Series(0)) && inks.contains(&Ink::Series(1)));
    assert_eq!(lines[10][0], ("a".to_owned(), Ink::Series(0)));
}

#[test]
fn lone_points_and_infinities() {
    let single = hour(vec![series("one", &[(30, 5.0)])]);
    let drawn = text(&single.draw(&canvas(30, 9, false)));
    assert_eq!(drawn.iter().filter(|line| line.contains('•')).count(), 1);

    let plot = hour(vec![series("odd", &[(0, 0.0), (20, f64::INFINITY), (40, f64::NEG_INFINITY), (60, 10.0)])]);
    let drawn = text(&plot.draw(&canvas(40, 12, true)));
    assert_eq!(drawn[9], "       last   min   max");
    assert_eq!(drawn[10], "a odd    10  -Inf  +Inf");
    assert_eq!(drawn[11], "2 infinite samples drawn at the edge");
}

#[test]
fn marks_tell_lines_apart_without_colour() {
    let plot = hour(vec![
        series("same", &[(0, 1.0), (60, 1.0)]),
        series("same too", &[(0, 1.0), (60, 1.0)]),
        series("other", &[(0, 2.0), (60, 2.0)]),
    ]);
    let drawn = text(&plot.draw(&canvas(60, 12, false)));
    let panel = drawn[..6].concat();
    for mark in ['a', 'b', 'c'] {
        assert!(panel.contains(mark), "{mark} in {drawn:#?}");
    }
}

#[test]
fn nothing_to_draw_is_one_line() {
    let nan = series("gone", &[(0, f64::NAN)]);
    let outside = series("late", &[(61, 1.0)]);
    let cases = [
        (vec![], None, "no data"),
        (vec![outside], Some("players"), "players: no data"),
        (vec![nan], Some("players"), "players: no data (every sample is NaN)"),
    ];
    for (series, title, expected) in cases {
        let mut plot = hour(series);
        plot.title = title.map(str::to_owned);
        assert_eq!(text(&plot.draw(&Canvas::default())), [expected]);
    }
    let plot = hour(vec![series("up", &[(0, 1.0)])]);
    assert_eq!(text(&plot.draw(&canvas(15, 9, false))), ["not enough col…"]);
    assert_eq!(text(&plot.draw(&canvas(80, 5, false))), ["not enough lines for a plot"]);
}

#[test]
fn too_many_series_are_counted() {
    let all = (0..17).map(|n| series(&format!("room-{n:02}"), &[(0, 0.0), (60, f64::from(n))]));
    let plot = hour(all.collect());
    let drawn = text(&plot.draw(&Canvas::default()));
    assert!(drawn.len() <= 22, "{drawn:#?}");
    assert_eq!(drawn.last().map(String::as_str), Some("… and 7 more, with smaller last values"));
    let legend = drawn[drawn.len() - 6..].join("\n");
    assert!(!legend.contains("room-06") && legend.contains("room-07"), "{legend}");
    // Ten lines leave room for two series, their heading, and the note.
    let low = text(&plot.draw(&canvas(80, 10, true)));
    assert_eq!(low[7], "a room-15    15    0   15");
    assert_eq!(low[9], "... and 15 more, with smaller last values");
}

#[test]
fn a_constant_lies_in_the_middle() {
    for value in [1.0, -3.0, 1e-9, 5e12, f64::MAX] {
        let plot = hour(vec![series("up", &[(0, value), (60, value)])]);
        let drawn = text(&plot.draw(&canvas(40, 13, true)));
        let line = drawn.iter().position(|line| line.contains("aaaa"));
        assert!(matches!(line, Some(4..=5)), "{value:e}: {drawn:#?}");
    }
}

/// Ordinary values, and what breaks arithmetic.
fn value() -> impl Strategy<Value = f64> {
    let odd = prop_oneof![
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(f64::MAX),
        Just(f64::MIN),
        Just(5e-324),
        Just(-0.0),
        any::<f64>(),
    ];
    prop_oneof![3 => -1e3..1e3, 1 => odd]
}

fn any_series() -> impl Strategy<Value = PlotSeries> {
    let points = prop::collection::vec((-4000i64..8000, value()), 0..40);
    ("\\PC{0,30}", points).prop_map(|(name, points)| PlotSeries {
        name,
        points: points.into_iter().map(|(second, value)| (start() + TimeDelta::seconds(second), value)).collect(),
    })
}

proptest::proptest! {
    #[test]
    fn every_plot_keeps_to_its_canvas(
        series in prop::collection::vec(any_series(), 0..14),
        seconds in prop_oneof![Just(0), 1i64..100_000, -10i64..400_000_000],
        title in prop::option::of("\\PC{0,90}"),
        thresholds in prop::collection::vec((value(), "\\PC{0,20}"), 0..4),
        width in 0usize..130,
        height in 0usize..40,
        ascii in any::<bool>(),
    ) {
        let end = start() + TimeDelta::seconds(seconds);
        let format = Box::new(|value: f64| format!("{value:.1} 人"));
        let plot = Plot { series, start: start(), end, title, format, thresholds, moments: Vec::new() };
        let lines = text(&plot.draw(&canvas(width, height, ascii)));
        prop_assert!(lines.len() <= height.max(1), "{lines:#?}");
        for line in &lines {
            prop_assert!(line.width() <= width, "{} of {width}: {line:?}", line.width());
        }
    }

    #[test]
    fn ascii_plots_are_ascii(
        mut series in prop::collection::vec(any_series(), 0..14),
        thresholds in prop::collection::vec((value(), "[a-z]{0,20}"), 0..4),
        width in 0usize..130,
        height in 0usize..40,
    ) {
        for (n, one) in series.iter_mut().enumerate() {
            one.name = format!("a series with a long name, {n}");
        }
        let plot = Plot { thresholds, title: Some("title".repeat(20)), ..hour(series) };
        let lines = text(&plot.draw(&canvas(width, height, true)));
        prop_assert!(lines.iter().all(|line| line.is_ascii()), "{lines:#?}");
    }
}

#[test]
fn a_moment_has_its_sign_on_the_time_axis() {
    let mut plot = hour(vec![series("up", &[(0, 0.0), (60, 10.0)])]);
    plot.moments = vec![(start() + TimeDelta::minutes(30), '1'), (start() - TimeDelta::minutes(1), '2')];
    let lines = text(&plot.draw(&canvas(44, 10, true)));
    let axis = lines.iter().find(|line| line.contains('1') && line.contains("---")).expect("an axis");
    assert!(!axis.contains('2'), "it lies before the window: {axis}");
    assert!(lines[0].contains(':'), "{lines:?}");
}

#[test]
fn a_nearly_flat_series_has_two_labels_that_differ() {
    let mut plot = hour(vec![series("up", &[(0, 17.0001), (30, 17.0002), (60, 17.0001)])]);
    plot.format = Box::new(|value| format!("{value:.1}"));
    let lines = text(&plot.draw(&canvas(44, 12, false)));
    let labels: Vec<&str> =
        lines.iter().filter_map(|line| line.split_once('┤')).map(|(label, _)| label.trim()).collect();
    assert!(labels.len() > 1, "{lines:#?}");
    assert!(labels.windows(2).all(|two| two[0] != two[1]), "{labels:?}");
}
