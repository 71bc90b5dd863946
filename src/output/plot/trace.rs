//! What a plot shows of a series: its points inside the window, their extremes, and which series are
//! shown when there are too many. Pure.

use chrono::{DateTime, Utc};

use crate::output::plot::PlotSeries;
use crate::output::plot::raster::{median_step, seconds};
use crate::output::plot::time_axis::Window;

/// A series may end this many median steps before the window does without being called ended.
const LATE: f64 = 2.0;

/// One series, cut to the window and in the order of time.
#[derive(Debug)]
pub(super) struct Trace<'a> {
    pub(super) name: &'a str,
    pub(super) points: Vec<(DateTime<Utc>, f64)>,
}

impl<'a> Trace<'a> {
    pub(super) fn new(series: &'a PlotSeries, window: &Window) -> Self {
        let mut points: Vec<_> = series.points.iter().copied().filter(|(at, _)| window.contains(*at)).collect();
        points.sort_by_key(|(at, _)| *at);
        Self { name: &series.name, points }
    }

    /// The values that can be drawn, infinities included.
    pub(super) fn values(&self) -> impl Iterator<Item = f64> {
        self.points.iter().map(|(_, value)| *value).filter(|value| !value.is_nan())
    }

    /// The newest value, which may be NaN; none when the series has no point.
    pub(super) fn last(&self) -> Option<f64> {
        self.points.last().map(|(_, value)| *value)
    }

    pub(super) fn min(&self) -> Option<f64> {
        self.values().reduce(f64::min)
    }

    pub(super) fn max(&self) -> Option<f64> {
        self.values().reduce(f64::max)
    }

    pub(super) fn infinities(&self) -> usize {
        self.values().filter(|value| value.is_infinite()).count()
    }

    /// When the newest point was, for a series that stops well before the window does.
    pub(super) fn ended(&self, window: &Window) -> Option<DateTime<Utc>> {
        let (at, _) = *self.points.last()?;
        let step = median_step(&self.points)?;
        (seconds(at, window.end) > LATE * step).then_some(at)
    }
}

/// Keeps the `most` series that are largest by their newest value, in the order in which they came.
/// NaN and nothing count as smallest.
pub(super) fn largest(traces: Vec<Trace<'_>>, most: usize) -> Vec<Trace<'_>> {
    if traces.len() <= most {
        return traces;
    }
    let rank = |trace: &Trace<'_>| trace.last().filter(|value| !value.is_nan()).unwrap_or(f64::NEG_INFINITY);
    let mut numbered: Vec<(usize, Trace<'_>)> = traces.into_iter().enumerate().collect();
    numbered.sort_by(|(_, a), (_, b)| rank(b).total_cmp(&rank(a)));
    numbered.truncate(most);
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, trace)| trace).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("in range")
    }

    fn series(name: &str, points: &[(i64, f64)]) -> PlotSeries {
        PlotSeries { name: name.to_owned(), points: points.iter().map(|(at, value)| (second(*at), *value)).collect() }
    }

    #[test]
    fn cut_to_the_window_and_sorted() {
        let window = Window::new(second(10), second(100));
        let series = series("a", &[(30, f64::NAN), (20, 2.0), (5, 99.0), (10, 1.0), (101, 99.0)]);
        let trace = Trace::new(&series, &window);
        assert_eq!(trace.points.len(), 3);
        assert_eq!((trace.min(), trace.max()), (Some(1.0), Some(2.0)));
        assert!(trace.last().is_some_and(f64::is_nan));
        assert_eq!(trace.ended(&window), Some(second(30)));
        assert_eq!(trace.ended(&Window::new(second(10), second(50))), None);
    }

    #[test]
    fn largest_by_newest_value() {
        let window = Window::new(second(0), second(10));
        let all = [
            series("falling", &[(0, 100.0), (10, 1.0)]),
            series("gone", &[(0, 5.0), (10, f64::NAN)]),
            series("high", &[(10, 7.0)]),
            series("empty", &[]),
            series("higher", &[(10, 8.0)]),
        ];
        let kept = |most| -> Vec<&str> {
            let traces = all.iter().map(|one| Trace::new(one, &window)).collect();
            largest(traces, most).iter().map(|trace| trace.name).collect()
        };
        assert_eq!(kept(2), ["high", "higher"]);
        assert_eq!(kept(3), ["falling", "high", "higher"]);
        assert_eq!(kept(9).len(), 5);
    }
}
