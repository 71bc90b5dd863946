//! The on-call checklist is a file of its own, and is read as the configuration is: every mistake at once, with its
//! line and the nearest name.

use std::rc::Rc;

use crate::config::decode::{Problems, Section};
use crate::config::node::{Layer, Node};
use crate::config::yaml::parse;
use liveops_domain::error::Problem;
use liveops_domain::metric::quantity::Unit;
use liveops_domain::metric::threshold::Threshold;
use liveops_domain::text::suggest::nearest;
use liveops_domain::triage::{Check, Checklist, Item};

/// Reads a checklist; `name` is the file, for the messages.
///
/// # Errors
/// Everything that is wrong in it.
pub fn read(text: &str, name: &str) -> Result<Checklist, Vec<Problem>> {
    let layer = Rc::new(Layer::Project(name.to_owned()));
    let document = parse(text, &layer).map_err(|problem| vec![problem])?;
    let mut problems = Problems { errors: document.problems, ..Problems::default() };
    let mut top = Section::open(&document.root, "", &mut problems);
    let mut items: Vec<Item> = Vec::new();
    for (index, node) in top.list("items", &mut problems).iter().enumerate() {
        let Some(item) = item(node, index, &mut problems) else {
            continue;
        };
        if items.iter().any(|other| other.id == item.id) {
            let message = format!("two items are called `{}`", item.id);
            problems.error(&node.origin, &format!("items[{index}].id"), message);
        }
        items.push(item);
    }
    if items.is_empty() && problems.errors.is_empty() {
        problems.error(top.origin(), "items", "a checklist needs at least one item");
    }
    top.finish(&mut problems);
    problems.sort();
    if problems.errors.is_empty() { Ok(Checklist { items }) } else { Err(problems.errors) }
}

fn item(node: &Node, index: usize, problems: &mut Problems) -> Option<Item> {
    let before = problems.errors.len();
    let mut section = Section::open(node, format!("items[{index}]"), problems);
    let id = section.parse("id", problems, |text| {
        let sound = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if !text.is_empty() && text.chars().all(sound) {
            Ok(text.to_owned())
        } else {
            Err(format!("`{text}` is not a name of letters, digits, `-` and `_`"))
        }
    });
    let ask = section.text("ask", problems);
    let help = section.text("help", problems);
    let check = section.parse("check", problems, |text| {
        Check::parse(text).ok_or_else(|| {
            let known = Check::ALL.map(Check::word);
            match nearest(text, known) {
                Some(near) => format!("`{text}` is no check; did you mean `{near}`?"),
                None => format!("`{text}` is no check; there is {}", known.join(", ")),
            }
        })
    });
    let query = section.text("query", problems);
    let limit = section.parse("limit", problems, |text| Threshold::parse(text, &Unit::None));
    let command = section.text("command", problems);
    section.require("id", id.is_some(), problems);
    section.require("ask", ask.is_some(), problems);
    let check = check.unwrap_or_default();
    match (check, &query, &limit) {
        (Check::Query, None, _) => section.require("query", false, problems),
        (Check::Query, Some(_), _) | (_, None, None) => {}
        _ => {
            let message = "`query` and `limit` belong to `check: query`";
            problems.error(&node.origin, &section.path("check"), message);
        }
    }
    section.finish(problems);
    (problems.errors.len() == before).then_some(Item {
        id: id?,
        ask: ask?,
        help: help.unwrap_or_default(),
        check,
        query,
        limit,
        command,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../templates/triage/oncall.yaml"));

    #[test]
    fn the_shipped_checklist_is_sound() {
        let list = read(SHIPPED, "oncall.yaml").expect("sound");
        assert_eq!(list.items.len(), 9);
        assert!(list.items.iter().all(|item| !item.help.is_empty()));
    }

    #[test]
    fn slips_are_named_with_their_lines() {
        for (text, want) in [
            ("items: []", "c.yaml:1: `items`: a checklist needs at least one item"),
            (
                "items:\n  - { id: a, ask: x }\n  - { id: a, ask: y }",
                "c.yaml:3: `items[1].id`: two items are called `a`",
            ),
            ("items:\n  - { id: a, ask: x, check: query }", "c.yaml:2: `items[0]`: `query` is missing"),
            (
                "items:\n  - id: a\n    ask: x\n    chek: query",
                "c.yaml:4: `items[0].chek`: unknown key; did you mean `check`?",
            ),
            (
                "items:\n  - id: a\n    ask: x\n    check: flgas",
                "c.yaml:4: `items[0].check`: `flgas` is no check; did you mean `flags`?",
            ),
            ("items:\n  - id: a b\n    ask: x", "c.yaml:2: `items[0].id`"),
            ("items:\n  - id: a\n    ask: [", "c.yaml:"),
            ("items:\n  - { id: a, ask: x, query: up }", "belong to `check: query`"),
            ("items:\n  - { id: a, ask: x, check: query, query: up, limit: 5 }", "begin with `>`"),
        ] {
            let problems = read(text, "c.yaml").expect_err(text);
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            assert!(all.join("\n").contains(want), "{text}: {all:?}");
        }
    }
}
