//! `liveops config show`: what is in force, as YAML that can be read again.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use serde_json::Value as Json;

use crate::commands::config::yaml::{Leaf, Line, json, leaves, lines, origins};
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Exit, Result};
use liveops_domain::text::duration::to_promql;
use liveops_engine::config::Config;
use liveops_engine::config::node::{Key, Layer, Node, Origin, Value};

/// Print the configuration that is in force
///
/// All layers merged: your file, the project's, environment variables and flags. References to secrets are printed
/// as they are, secrets never. What it prints is itself a configuration.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops config show
  liveops config show --origin
  liveops -e prod --prometheus localhost:9090 config show --origin
  liveops config show -o json | jq .data.origins")]
pub(crate) struct ShowArgs {
    /// Say where each value comes from
    #[arg(long)]
    origin: bool,
}

/// The merged configuration.
#[derive(Debug, Serialize)]
struct ConfigShow {
    config: Json,
    origins: BTreeMap<String, String>,
    #[serde(skip)]
    lines: Vec<Line>,
    #[serde(skip)]
    leaves: Vec<Leaf>,
    /// Which environment, and who chose it.
    #[serde(skip)]
    chosen: String,
    #[serde(skip)]
    show_origin: bool,
}

pub(crate) fn run(args: &ShowArgs, cx: &Context) -> Result<Exit> {
    let config = cx.config()?;
    let root = with_defaults(config);
    let report = ConfigShow {
        config: json("", &root),
        origins: origins(&root),
        lines: lines(&root),
        leaves: leaves(&root),
        chosen: format!("{} ({})", config.settings.environment, chosen_by(config)),
        show_origin: args.origin,
    };
    cx.show(&report, Meta::default())?;
    Ok(Exit::Good)
}

/// Who chose the environment.
fn chosen_by(config: &Config) -> String {
    if let Some((_, by)) = &config.layers.quick.env {
        return by.clone();
    }
    match config.root.get("default_env") {
        Some(node) => node.origin.show(),
        None => "the only one".into(),
    }
}

/// The tree with the settings that nobody named.
fn with_defaults(config: &Config) -> Node {
    let mut root = config.root.clone();
    let settings = &config.settings;
    let origin = Origin::of(Layer::Default);
    let defaults = [
        ("read_only", Node::scalar("false", &origin)),
        ("timeout", Node::scalar(to_promql(settings.timeout), &origin)),
        ("call_timeout", Node::scalar(to_promql(settings.call_timeout), &origin)),
        ("silences", Node::map(vec![("max", Node::scalar(to_promql(settings.max_silence), &origin))], &origin)),
    ];
    if let Value::Map(entries) = &mut root.value {
        for (name, node) in defaults {
            let known = |(key, node): &(Key, Node)| key.name == name && node.value != Value::Null;
            if !entries.iter().any(known) {
                entries.retain(|(key, _)| key.name != name);
                let key = Key { name: name.into(), line: 0 };
                entries.push((key, node));
            }
        }
    }
    root
}

impl Report for ConfigShow {
    fn schema(&self) -> &'static str {
        "liveops.config.show/1"
    }

    fn blocks(&self, _view: &View) -> Vec<Block> {
        let comment = |text: String| Block::Whole(vec![span(text, Tone::Dim)]);
        let mut blocks = vec![comment(format!("# environment: {}", self.chosen))];
        // Comments stand in one column where they can; a long value pushes only its own.
        let width =
            self.lines.iter().map(|line| line.text.chars().count()).filter(|width| *width <= 56).max().unwrap_or(0);
        for line in &self.lines {
            let mut spans = vec![plain(line.text.clone())];
            if self.show_origin
                && let Some(origin) = &line.origin
            {
                let fill = width.saturating_sub(line.text.chars().count());
                spans.push(span(format!("{}  # {origin}", " ".repeat(fill)), Tone::Dim));
            }
            blocks.push(Block::Verbatim(spans));
        }
        let next = if self.show_origin { "liveops config validate" } else { "liveops config show --origin" };
        blocks.push(Block::Whole(vec![span("# next: ", Tone::Dim), span(next, Tone::Command)]));
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["key", "value", "origin"]);
        for leaf in &self.leaves {
            table.row(vec![plain(leaf.path.clone()), plain(leaf.value.clone()), plain(leaf.origin.clone())]);
        }
        Some(table)
    }
}
