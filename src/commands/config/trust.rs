//! `liveops config trust`: shows what a project file asks for that only a trusted one may have, and remembers consent.

use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::output::block::{Block, Tone, plain, span};
use crate::output::prompt;
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_domain::error::{Error, Exit, Result};
use liveops_engine::config::layers::{self, Quick};
use liveops_engine::config::trust::Trust;
use liveops_engine::config::{trust_in, wishes_of};

/// Let the project's file use your secrets as it asks
///
/// A liveops.yaml that somebody else wrote may not send a variable of your shell or a header of your own file to a host,
/// get a secret by reading a file or running a program, or keep documents outside of its folder, before you agreed. This
/// shows what it asks for, in all environments and regions, and asks you. When the file later asks for anything else
/// (another host, another program, a program of the project with other content), it is asked about anew.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops config trust                  # look, then agree
  liveops config trust --dry-run        # only look
  liveops config trust --revoke         # take it back")]
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
    let layers = layers::load(&cx.dirs, cx.choices.config.as_deref(), Quick::default(), false)?;
    if layers.project.is_none() {
        return Err(Error::usage(
            "there is no project file to trust: no liveops.yaml here or above",
            "run it in the project's folder, or name the file with `--config FILE`; your own file is always trusted",
        ));
    }
    let file = layers.project_key();
    let trust = Trust::load(&cx.dirs.state);
    let asked = if args.revoke { Vec::new() } else { wishes_of(&layers)? };
    let new = asked.iter().any(|wish| !trust.allows(&file, wish));
    let known = trust.count(&file);
    let seen = asked.iter().map(|wish| Wish { trusted: trust.allows(&file, wish), wish: wish.text.clone() });
    let mut report = ConfigTrust { wishes: seen.collect(), done: "nothing", file: file.clone() };
    let changes = new || (args.revoke && known > 0);
    if changes && !cx.choices.dry_run {
        if !args.revoke {
            confirm(&report, cx)?;
        }
        trust_in(&trust, &file, &asked)?;
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
    cx.output.show_plan_to_read(&report.asks(), cx.clock.now())?;
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
    fn schema(&self) -> &'static str {
        "liveops.config.trust/1"
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(vec![self.file.clone()])
    }

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
