//! `freezes`: times in which nothing is deployed.

use crate::config::decode::{Problems, Section};
use crate::config::node::Node;
use liveops_domain::check::deploy::freeze::{Freeze, moment};

/// Reads all of them.
pub fn decode_all(top: &mut Section<'_>, problems: &mut Problems) -> Vec<Freeze> {
    let list = top.list("freezes", problems);
    list.iter().enumerate().filter_map(|(index, node)| decode(node, index, problems)).collect()
}

fn decode(node: &Node, index: usize, problems: &mut Problems) -> Option<Freeze> {
    let mut section = Section::open(node, format!("freezes[{index}]"), problems);
    let reason = section.text("reason", problems);
    let from = section.parse("from", problems, |text| moment(text, false));
    let to = section.parse("to", problems, |text| moment(text, true));
    let services = section.list("services", problems).iter().filter_map(Node::text).map(ToOwned::to_owned).collect();
    for (key, present) in [("reason", reason.is_some()), ("from", from.is_some()), ("to", to.is_some())] {
        section.require(key, present, problems);
    }
    if let (Some(from), Some(to)) = (from, to)
        && to <= from
    {
        problems.error(&node.origin, &format!("freezes[{index}].to"), "it ends before it begins");
    }
    section.finish(problems);
    Some(Freeze { reason: reason?, from: from?, to: to?, services })
}
