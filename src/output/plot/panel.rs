//! The drawing area with its axes: where each value, instant, tick and threshold goes.

use unicode_width::UnicodeWidthStr;

use crate::output::plot::fit::{fit, left, right};
use crate::output::plot::grid::Grid;
use crate::output::plot::raster::{Area, Layer};
use crate::output::plot::scale::Scale;
use crate::output::plot::time_axis::Window;
use crate::output::plot::trace::Trace;
use crate::output::plot::{Canvas, Ink, Plot, PlotLine};

impl Plot {
    /// The drawing area with its axes.
    pub(super) fn panel(&self, traces: &[Trace<'_>], window: &Window, rows: usize, canvas: &Canvas) -> Vec<PlotLine> {
        let values: Vec<f64> = traces.iter().flat_map(Trace::values).collect();
        let bounds = self.thresholds.iter().map(|(value, _)| *value);
        let upright = Area { columns: 0, rows, coarse: canvas.ascii };
        let mut scale = Scale::new(values.iter().copied(), bounds.clone(), rows);
        let mut labels = self.value_labels(&scale, &upright, canvas);
        // So flat that all ticks read the same: an axis that is wide enough for two that do not.
        for share in [0.001, 0.01, 0.1, 1.0] {
            if labels.iter().flatten().count() > 1 {
                break;
            }
            let around = values.iter().flat_map(|value| [value - value.abs() * share, value + value.abs() * share]);
            scale = Scale::new(around, bounds.clone(), rows);
            labels = self.value_labels(&scale, &upright, canvas);
        }
        let gutter = labels.iter().flatten().map(|label| label.width()).max();
        let gutter = gutter.unwrap_or(0).max("UTC".len());
        let area = Area { columns: canvas.width - gutter - 2, ..upright };
        let grid = self.grid(traces, window, &scale, area);

        let (tick, side) = if canvas.ascii { ("+", "|") } else { ("┤", "│") };
        let mut lines: Vec<PlotLine> = (0..rows)
            .map(|row| {
                let label = labels[row].as_deref();
                let edge = if label.is_some() { tick } else { side };
                let axis = format!("{} {edge}", right(label.unwrap_or(""), gutter));
                let mut line = vec![(axis, Ink::Axis)];
                line.extend(grid.runs(row));
                line
            })
            .collect();
        let (axis, labels) = time_lines(window, area, gutter);
        lines.push(marked(&axis, gutter + 2, &self.moments_in(window, area)));
        lines.push(vec![(labels, Ink::Axis)]);
        lines
    }

    /// The columns of the moments that the window shows.
    fn moments_in(&self, window: &Window, area: Area) -> Vec<(usize, char)> {
        let shown = self.moments.iter().filter(|(at, _)| window.contains(*at));
        shown.map(|(at, sign)| (area.column(window.share(*at)), *sign)).collect()
    }

    /// For each row the label of the tick in it. Both ends come first; a label that repeats another
    /// is left out, since it would give one number two places.
    fn value_labels(&self, scale: &Scale, area: &Area, canvas: &Canvas) -> Vec<Option<String>> {
        let mut labels: Vec<Option<String>> = vec![None; area.rows];
        let ends = scale.ticks.iter().take(1).chain(scale.ticks.last());
        for tick in ends.chain(&scale.ticks) {
            let label = fit(&(self.format)(*tick), canvas.width / 3, canvas.ascii);
            let row = area.row(scale.share(*tick));
            if labels[row].is_none() && !labels.iter().flatten().any(|other| *other == label) {
                labels[row] = Some(label);
            }
        }
        labels
    }

    /// Series, marks and thresholds in their cells.
    fn grid(&self, traces: &[Trace<'_>], window: &Window, scale: &Scale, area: Area) -> Grid {
        let mut layers = Vec::new();
        for trace in traces {
            let mut layer = Layer::new(area);
            layer.trace(&trace.points, |at, value| {
                (!value.is_nan()).then(|| (area.x(window.share(at)), area.y(scale.share(value))))
            });
            layers.push(layer);
        }
        let mut grid = Grid::new(area, &layers);
        if traces.len() > 1 && !area.coarse {
            grid.mark(&layers);
        }
        for (one, trace) in traces.iter().enumerate() {
            if let ([(at, value)], false) = (trace.points.as_slice(), area.coarse) {
                let column = area.column(window.share(*at));
                grid.dot(column, area.row(scale.share(*value)), one);
            }
        }
        let (low, high) = scale.bounds();
        let within = |value: &f64| (low..=high).contains(value);
        for (value, _) in self.thresholds.iter().filter(|(value, _)| within(value)) {
            grid.threshold(area.row(scale.share(*value)));
        }
        for (column, _) in self.moments_in(window, area) {
            grid.moment(column);
        }
        // Labels after all lines, so that no line runs through a label.
        for (value, label) in self.thresholds.iter().filter(|(value, _)| value.is_finite()) {
            let arrow = match (within(value), *value > high, area.coarse) {
                (true, _, _) => "",
                (false, true, false) => "↑ ",
                (false, true, true) => "^ ",
                (false, false, false) => "↓ ",
                (false, false, true) => "v ",
            };
            let text = format!(" {arrow}{label} {}", (self.format)(*value));
            let text = fit(&text, area.columns / 2, area.coarse);
            grid.label(area.row(scale.share(*value)), &text);
        }
        grid
    }
}

/// The axis with the signs of moments in it.
fn marked(axis: &str, indent: usize, moments: &[(usize, char)]) -> PlotLine {
    let mut line: PlotLine = Vec::new();
    for (at, cell) in axis.chars().enumerate() {
        let sign = moments.iter().rev().find(|(column, _)| at == column + indent).map(|(_, sign)| *sign);
        let (glyph, ink) = sign.map_or((cell, Ink::Axis), |sign| (sign, Ink::Threshold));
        match line.last_mut() {
            Some((run, known)) if *known == ink => run.push(glyph),
            _ => line.push((glyph.to_string(), ink)),
        }
    }
    line
}

/// The time axis and the labels below it.
fn time_lines(window: &Window, area: Area, gutter: usize) -> (String, String) {
    let (corner, dash, tick) = if area.coarse { ('+', '-', '+') } else { ('└', '─', '┬') };
    let mut axis = vec![dash; area.columns];
    let mut labels = right("UTC", gutter);
    let width = gutter + 2 + area.columns;
    for (at, label) in window.ticks(area.columns) {
        let column = area.column(window.share(at));
        let centred = (gutter + 2 + column).saturating_sub(label.len() / 2);
        let start = centred.min(width.saturating_sub(label.len()));
        // At the left end a label begins under the axis, not under the values.
        let start = if column * 2 < label.len() { start.max(gutter + 1) } else { start };
        if start > labels.len() && start + label.len() <= width {
            axis[column] = tick;
            labels = left(&labels, start) + &label;
        }
    }
    let axis: String = axis.into_iter().collect();
    (format!("{}{corner}{axis}", " ".repeat(gutter + 1)), labels)
}
