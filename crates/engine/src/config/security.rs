//! `security`: signals of an attack and their limits.

use crate::config::decode::{Problems, Section};
use crate::config::node::Node;
use liveops_domain::check::security::signals::Signal;

/// Reads `security.signals`.
pub fn decode(top: &mut Section<'_>, problems: &mut Problems) -> Vec<Signal> {
    let Some(node) = top.get("security") else {
        return Vec::new();
    };
    let mut section = Section::open(node, "security", problems);
    let mut signals = Vec::new();
    for (index, node) in section.list("signals", problems).iter().enumerate() {
        let name = node.get("name").and_then(Node::text);
        let path = name.map_or_else(|| format!("security.signals[{index}]"), |name| format!("security.signals.{name}"));
        let mut one = Section::open(node, path, problems);
        let name = one.text("name", problems);
        let query = one.text("promql", problems);
        let limit = one.parse("limit", problems, |text| {
            text.trim_start_matches('>').trim().parse::<f64>().map_err(|_| format!("`{text}` is no number"))
        });
        one.require("name", name.is_some(), problems);
        one.require("promql", query.is_some(), problems);
        one.require("limit", limit.is_some(), problems);
        one.finish(problems);
        if let (Some(name), Some(query), Some(limit)) = (name, query, limit) {
            signals.push(Signal { name, query, limit });
        }
    }
    section.finish(problems);
    signals
}
