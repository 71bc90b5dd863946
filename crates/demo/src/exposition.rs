//! Writes Prometheus' text exposition format 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>), a family at a time.

use std::fmt::{Display, Write};

use crate::histogram::Histogram;
use crate::world::MODES;

/// The content type of this format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A label and its value. Values come from constant tables without quotes, backslashes or newlines,
/// so that they need no escaping.
type Label<'a> = (&'a str, &'a str);

/// An exposition being written.
#[derive(Default)]
pub struct Text(pub String);

impl Text {
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    pub fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    pub fn by_mode(&mut self, name: &str, counts: &[u64]) {
        for (mode, count) in MODES.iter().zip(counts) {
            self.sample(name, &[("game_mode", mode.name)], count);
        }
    }

    pub fn pair(&mut self, name: &str, label: &str, values: [&str; 2], counts: [u64; 2]) {
        for (value, count) in values.into_iter().zip(counts) {
            self.sample(name, &[(label, value)], count);
        }
    }

    pub fn histogram(&mut self, name: &str, labels: &[Label], histogram: &Histogram) {
        let bounds = histogram.bounds.iter().map(ToString::to_string);
        let bucket = format!("{name}_bucket");
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&histogram.cumulative) {
            let labels: Vec<Label> = labels.iter().copied().chain([("le", &*bound)]).collect();
            self.sample(&bucket, &labels, count);
        }
        self.sample(&format!("{name}_sum"), labels, format_args!("{:.3}", histogram.sum));
        self.sample(&format!("{name}_count"), labels, histogram.count());
    }

    pub fn sample(&mut self, name: &str, labels: &[Label], value: impl Display) {
        let labels: Vec<String> = (labels.iter()).map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        if labels.is_empty() {
            self.line(format_args!("{name} {value}"));
        } else {
            self.line(format_args!("{name}{{{}}} {value}", labels.join(",")));
        }
    }

    fn line(&mut self, line: std::fmt::Arguments) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}
