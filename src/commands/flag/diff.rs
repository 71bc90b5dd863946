//! `liveops flag diff`: what two environments do not have in common, flag by flag and member by member.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use serde::Serialize;
use tokio::time::Instant;

use crate::commands::flag::{labels, name};
use crate::context::Context;
use crate::output::block::{Block, Table, Tone, plain, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::flag::delta;
use liveops_domain::flag::delta::{Delta, deltas};
use liveops_domain::flag::name::FlagName;
use liveops_domain::status::source::{Source, Verdict};
use liveops_domain::text::shell::word;
use liveops_engine::flag::catalog::answered;
use liveops_engine::flagstore::FlagStore as _;

/// Compare the flags of two environments
///
/// Member by member: order, spelling and liveops' own revision make no difference. Read it as what would change in the
/// environment of --to if it were given the flags of the one of --from.
///
/// Exit code: 0 the same, 1 something differs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag diff --from staging --to prod
  liveops flag diff --from staging -e prod new_matchmaking
  liveops flag diff --from staging --to prod -o name         # the names of those that differ")]
pub(super) struct DiffArgs {
    /// Flags to compare; all of them when none is named
    #[arg(value_name = "NAME", value_parser = name)]
    names: Vec<FlagName>,

    /// The environment to take as the example
    #[arg(long, value_name = "ENV")]
    from: String,

    /// The environment that is compared with it [default: that of -e]
    #[arg(long, value_name = "ENV")]
    to: Option<String>,
}

/// How one flag differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum DifferenceKind {
    /// Other members.
    Differs,
    /// Not in the environment of `--to`.
    Missing,
    /// Only there.
    Extra,
}

impl DifferenceKind {
    fn word(self) -> &'static str {
        match self {
            Self::Differs => "differs",
            Self::Missing => "missing",
            Self::Extra => "extra",
        }
    }
}

/// One flag that is not the same.
#[derive(Debug, Serialize)]
struct FlagDifference {
    flag: String,
    how: DifferenceKind,
    /// From what is in `to` to what is in `from`.
    changes: Vec<Delta>,
    /// The same in a line.
    words: String,
}

/// Two environments.
#[derive(Debug, Serialize)]
struct FlagDiff {
    from: String,
    to: String,
    flags: Vec<FlagDifference>,
    /// Flags that are the same.
    same: usize,
}

type Values = BTreeMap<String, Vec<u8>>;

/// The flags that differ, by name, and how many do not.
fn compare(from: &Values, to: &Values, names: &[FlagName]) -> (Vec<FlagDifference>, usize) {
    let wanted = |name: &&String| names.is_empty() || names.iter().any(|wanted| wanted.as_str() == name.as_str());
    let all: BTreeSet<&String> = from.keys().chain(to.keys()).filter(wanted).collect();
    let mut same = 0;
    let mut differences = Vec::new();
    for flag in all {
        let (have, want) = (to.get(flag).map(Vec::as_slice), from.get(flag).map(Vec::as_slice));
        let changes = deltas(have, want);
        let how = match (have, want) {
            (None, _) => DifferenceKind::Missing,
            (_, None) => DifferenceKind::Extra,
            // What is no JSON has no members to compare, only bytes.
            (Some(have), Some(want)) if changes.is_empty() && (have == want || is_json(have) && is_json(want)) => {
                same += 1;
                continue;
            }
            _ => DifferenceKind::Differs,
        };
        differences.push(FlagDifference { flag: flag.clone(), how, changes, words: delta::words(have, want) });
    }
    (differences, same)
}

fn is_json(bytes: &[u8]) -> bool {
    liveops_domain::flag::document::Document::parse(bytes).is_ok()
}

impl FlagDiff {
    fn heading(&self) -> String {
        let count = |how: DifferenceKind| self.flags.iter().filter(|one| one.how == how).count();
        let counts = [
            (count(DifferenceKind::Differs), "differ".to_owned()),
            (count(DifferenceKind::Missing), format!("only in {}", self.from)),
            (count(DifferenceKind::Extra), format!("only in {}", self.to)),
            (self.same, "the same".to_owned()),
        ];
        let parts: Vec<String> =
            counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        match parts.is_empty() {
            true => "no flags in either".into(),
            false => parts.join(", "),
        }
    }
}

impl Report for FlagDiff {
    fn schema(&self) -> &'static str {
        "liveops.flag.diff/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let arrow = view.pick("→", "->");
        let mut blocks = vec![Block::Whole(vec![
            span(format!("{} {arrow} {}", self.from, self.to), Tone::Strong),
            plain(format!(": {}", self.heading())),
        ])];
        for one in &self.flags {
            let (mark, tone, text) = match one.how {
                DifferenceKind::Differs => ("~", Tone::Warn, one.words.clone()),
                DifferenceKind::Missing => ("+", Tone::Good, format!("only in {}", self.from)),
                DifferenceKind::Extra => ("-", Tone::Bad, format!("only in {}", self.to)),
            };
            blocks.push(Block::Whole(vec![
                span(format!("  {mark} "), tone),
                span(&one.flag, Tone::Strong),
                plain(format!("  {text}")),
            ]));
        }
        blocks
    }

    fn rows(&self, _view: &View) -> Option<Table> {
        let mut table = Table::new(["flag", "how", "changes"]);
        for one in &self.flags {
            table.row(vec![plain(&one.flag), plain(one.how.word()), plain(&one.words)]);
        }
        Some(table)
    }
}

pub(super) async fn run(args: DiffArgs, cx: &Context) -> Result<Exit> {
    let to = match args.to {
        Some(to) => to,
        None => cx.environment()?.to_owned(),
    };
    if args.from == to {
        return Err(Error::usage(
            format!("`{to}` is the same as itself"),
            "name two environments, such as `--from staging --to prod`",
        ));
    }
    let began = Instant::now();
    let (here, there) = (cx.flags_of(&args.from)?, cx.flags_of(&to)?);
    let (have, want) = tokio::join!(there.all(), here.all());
    let (have, want): (Values, Values) = (have?.into_iter().collect(), want?.into_iter().collect());
    if let Some(name) =
        args.names.iter().find(|name| !have.contains_key(name.as_str()) && !want.contains_key(name.as_str()))
    {
        return Err(Error::NotFound {
            what: "flag",
            name: name.to_string(),
            candidates: have.keys().chain(want.keys()).cloned().collect(),
        });
    }
    let (flags, same) = compare(&want, &have, &args.names);
    let first = flags.iter().find(|one| one.how != DifferenceKind::Missing).or(flags.first());
    let next = first.map(|one| {
        let place = if one.how == DifferenceKind::Missing { &args.from } else { &to };
        let command = format!("flag history {} -e {}", word(&one.flag), word(place));
        labels::command(cx, "who changed it last", &command)
    });
    let named = |environment: &str| Source { name: format!("flags of {environment}"), ..answered(began) };
    let verdict = if flags.is_empty() { Verdict::Pass } else { Verdict::Fail };
    let meta = Meta {
        environment: Some(to.clone()),
        verdict,
        tail: [Block::Blank].into_iter().chain(next.iter().flat_map(labels::next)).collect(),
        recommendations: next.into_iter().collect(),
        sources: vec![named(&args.from), named(&to)],
        ..Meta::default()
    };
    cx.show(&FlagDiff { from: args.from, to, flags, same }, meta)?;
    Ok(verdict.into())
}

#[cfg(test)]
mod tests {
    use super::DifferenceKind::{Differs, Extra, Missing};
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn what_differs_is_what_readers_see() {
        let from = values(&[
            ("a", r#"{"enabled":true,"percentage":25,"_liveops":{"rev":7}}"#),
            ("b", r#"{"enabled":true}"#),
            ("c", r#"{"enabled":true,"percentage":10}"#),
            ("broken", "{"),
        ]);
        let to = values(&[
            ("a", r#"{"enabled":true,"percentage":10,"_liveops":{"rev":2}}"#),
            ("c", r#"{ "percentage": 10, "enabled": true, "_liveops": {"rev": 3} }"#),
            ("d", r#"{"enabled":true}"#),
            ("broken", "{}"),
        ]);
        let (differences, same) = compare(&from, &to, &[]);
        let found: Vec<(&str, DifferenceKind)> = differences.iter().map(|one| (one.flag.as_str(), one.how)).collect();
        assert_eq!(found, [("a", Differs), ("b", Missing), ("broken", Differs), ("d", Extra)]);
        assert_eq!(same, 1);
        assert_eq!(differences[0].words, "percentage 10 to 25");
        let only: Vec<FlagName> = vec!["c".parse().expect("a name")];
        assert_eq!(compare(&from, &to, &only).1, 1);
    }
}
