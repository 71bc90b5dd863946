//! What a set of series shares, and what tells one from the others.

use unicode_width::UnicodeWidthStr;

use crate::output::block::{Span, plain};
use liveops_domain::metric::labels::Labels;
use liveops_engine::query::result::{NAME, full_name};

/// What the series have in common, and the labels by which they differ.
pub(super) struct Shape {
    /// As PromQL writes it; empty when they share nothing.
    pub(super) shared: String,
    /// Labels that differ; the metric name first.
    differing: Vec<String>,
}

impl Shape {
    /// The shape of these series.
    pub(super) fn new(all: &[&Labels]) -> Self {
        let mut shared = all.first().map(|first| (*first).clone()).unwrap_or_default();
        if all.len() > 1 {
            shared.retain(|name, value| all.iter().all(|labels| labels.get(name) == Some(value)));
        }
        let mut differing: Vec<String> = Vec::new();
        for name in all.iter().flat_map(|labels| labels.keys()) {
            if !shared.contains_key(name) && !differing.contains(name) {
                differing.push(name.clone());
            }
        }
        // `__name__` comes before the labels, as it does in PromQL.
        differing.sort_by_key(|name| (name != NAME, name.clone()));
        let shared = if shared.is_empty() { String::new() } else { full_name(&shared) };
        Self { shared, differing }
    }

    /// What tells one series from the others, in one text.
    pub(super) fn name(&self, labels: &Labels) -> String {
        if let [only] = self.differing.as_slice()
            && let Some(value) = labels.get(only)
        {
            return value.clone();
        }
        let mine: Labels = labels
            .iter()
            .filter(|(name, _)| self.differing.contains(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        full_name(&mine)
    }

    /// Titles and cells of the series: a column a label where they fit into `room`, else one for all.
    pub(super) fn columns(&self, all: &[&Labels], room: usize) -> (Vec<String>, Vec<Vec<Span>>) {
        let cell = |labels: &Labels, name: &String| labels.get(name).cloned().unwrap_or_default();
        let width = |name: &String| {
            let widest = all.iter().map(|labels| cell(labels, name).width()).max();
            widest.unwrap_or(0).max(name.width()) + 2
        };
        if !self.differing.is_empty() && self.differing.iter().map(width).sum::<usize>() <= room {
            let title = |name: &String| {
                if name == NAME { "metric".into() } else { name.clone() }
            };
            let row = |labels: &&Labels| self.differing.iter().map(|name| plain(cell(labels, name))).collect();
            return (self.differing.iter().map(title).collect(), all.iter().map(row).collect());
        }
        let row = |labels: &&Labels| vec![plain(self.name(labels))];
        (vec!["series".into()], all.iter().map(row).collect())
    }
}
