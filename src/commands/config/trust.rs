//! `liveops config trust`: shows what a project file asks for that only a trusted one may have, and remembers consent.

use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::prompt;
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_engine::config::decode::Problems;
use liveops_engine::config::layers::{Layers, Quick};
use liveops_engine::config::trust::{Trust, wishes};
use liveops_engine::config::{environments, layers, schema, validate};
use liveops_engine::files::file::write_private;

/// Let the project's file use your secrets as it asks
///
/// A liveops.yaml that somebody else wrote may not send a header of your own file to a host that it names, nor get a
/// secret by reading a file or running a program, before you agreed. This shows what it asks for, and asks you. When
/// the file later asks for anything else (another host, another program), it is asked about anew.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops config trust                  look, then agree
  liveops config trust --dry-run        only look
  liveops config trust --revoke         take it back")]
pub(crate) struct TrustArgs {
    /// Take the trust in this file back
    #[arg(long)]
    revoke: bool,
}

/// Something that the file asks for.
#[derive(Debug, Serialize)]
struct Wish {
    wish: String,
    trusted: bool,
}

/// What the file asks for, and how that stands now.
#[derive(Debug, Serialize)]
struct ConfigTrust {
    file: String,
    wishes: Vec<Wish>,
    /// What this run did: `trusted`, `revoked`, `nothing`.
    done: &'static str,
}

pub(crate) fn run(args: &TrustArgs, cx: &Context) -> Result<Exit> {
    let layers = layers::load(&cx.dirs, cx.choices.config.as_deref(), Quick::default())?;
    if layers.project.is_none() {
        return Err(Error::usage(
            "there is no project file to trust: no liveops.yaml here or above",
            "run it in the project's folder, or name the file with `--config FILE`; your own file is always trusted",
        ));
    }
    let file = layers.project_key();
    let trust = Trust::load(&cx.dirs.state);
    let asked = if args.revoke { Vec::new() } else { asked(&layers)? };
    let new = asked.iter().any(|wish| !trust.allows(&file, wish));
    let known = trust.count(&file);
    let mut report = ConfigTrust {
        wishes: asked.iter().map(|wish| Wish { trusted: trust.allows(&file, wish), wish: wish.clone() }).collect(),
        done: "nothing",
        file: file.clone(),
    };
    let changes = new || (args.revoke && known > 0);
    if changes && !cx.choices.dry_run {
        if !args.revoke {
            confirm(&report, cx)?;
        }
        let text = trust.with(&file, &asked)?;
        write_private(trust.path(), text.as_bytes()).map_err(|source| Error::Io {
            action: "write",
            path: trust.path().to_owned(),
            source,
        })?;
        report.done = if args.revoke { "revoked" } else { "trusted" };
        for wish in &mut report.wishes {
            wish.trusted = true;
        }
    }
    let open = report.wishes.iter().any(|wish| !wish.trusted);
    let next = layers.command(if open { "config trust" } else { "doctor" });
    cx.show_anywhere(&report, Meta { recommendations: Vec::new(), ..Meta::next("", next) })?;
    Ok(Exit::Good)
}

/// What the project file asks for, in any environment. A file with problems is not trusted: it may ask for more once
/// they are fixed.
fn asked(layers: &Layers) -> Result<Vec<String>> {
    let found = validate(layers);
    if !found.errors.is_empty() {
        return Err(Error::Config { problems: found.errors });
    }
    let mut all: Vec<String> = environments(&layers.root)
        .iter()
        .flat_map(|name| wishes(&schema::decode(&layers.root, name, &mut Problems::default())))
        .collect();
    all.sort();
    all.dedup();
    Ok(all)
}

fn confirm(report: &ConfigTrust, cx: &Context) -> Result<()> {
    if cx.choices.yes {
        return Ok(());
    }
    if !prompt::can_prompt() {
        let wishes: Vec<&str> = report.wishes.iter().map(|wish| wish.wish.as_str()).collect();
        return Err(Error::Refused {
            why: format!("not confirmed, and nobody can be asked here: {} wants to {}", report.file, wishes.join("; ")),
            hint: "pass `--yes` to agree, `--dry-run` to look".into(),
        });
    }
    cx.output.show_plan(&report.asks(), cx.clock.now());
    if prompt::confirm("let it?")? {
        Ok(())
    } else {
        Err(Error::Refused {
            why: "not confirmed; the file is trusted no more than before".into(),
            hint: "look at the file; `liveops config show --origin` says where each value was set".into(),
        })
    }
}

impl ConfigTrust {
    fn asks(&self) -> Vec<Block> {
        let mut blocks = vec![Block::Whole(vec![span(self.file.clone(), Tone::Strong), plain(" asks to")])];
        for wish in &self.wishes {
            let (text, tone) = if wish.trusted { ("trusted:", Tone::Good) } else { ("not trusted:", Tone::Warn) };
            blocks.push(Block::Whole(vec![span(format!("  {text:<13}"), tone), plain(wish.wish.clone())]));
        }
        blocks
    }
}

impl Report for ConfigTrust {
    const SCHEMA: &'static str = "liveops.config.trust/1";

    fn blocks(&self, _view: &View) -> Vec<Block> {
        match (self.done, self.wishes.is_empty()) {
            ("revoked", _) => {
                vec![Block::Whole(vec![span(self.file.clone(), Tone::Strong), plain(" is trusted no more")])]
            }
            (_, true) => vec![Block::Whole(vec![
                span(self.file.clone(), Tone::Strong),
                plain(" asks for nothing that needs trust"),
            ])],
            _ => self.asks(),
        }
    }
}
