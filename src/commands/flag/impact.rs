//! What a change does to flags and to whom, as it is shown before the question.

use crate::output::block::{Block, Table, Tone, plain, span};
use liveops_domain::flag::delta::Delta;
use liveops_engine::flag::impact::{ChangeImpact, FlagImpact, whom};

/// For the person who is asked.
pub(crate) fn blocks(preview: &ChangeImpact) -> Vec<Block> {
    let mut blocks = Vec::new();
    for impact in &preview.impacts {
        draw(impact, &mut blocks);
    }
    blocks.push(Block::Blank);
    blocks
}

fn draw(impact: &FlagImpact, blocks: &mut Vec<Block>) {
    let what = match (impact.created, impact.removed, impact.rev_before) {
        _ if impact.is_still() => "nothing to do for flag ".to_owned(),
        (true, _, _) => "new flag ".to_owned(),
        (_, true, _) => "flag to be removed: ".to_owned(),
        _ => "flag ".to_owned(),
    };
    let rev = impact.rev_before.map(|rev| format!(", revision {rev}"));
    blocks.push(Block::Line(vec![
        plain(what),
        span(impact.flag.to_string(), Tone::Strong),
        span(rev.unwrap_or_default(), Tone::Dim),
    ]));
    let mut table = Table::new(["", "now", "then"]).indent(2).fixed(&[0]);
    // Of a new flag, what is empty says nothing.
    let silent = |delta: &Delta| impact.removed || (impact.created && delta.is_empty());
    for delta in impact.changes.iter().filter(|delta| !silent(delta)) {
        let (old, new) = delta.shown();
        table.row(vec![plain(&delta.member), span(old, Tone::Dim), span(new, Tone::Strong)]);
    }
    let (now, then) = (whom(impact.audience_before.as_ref()), whom(impact.audience_after.as_ref()));
    table.row(vec![plain("on for"), span(now, Tone::Dim), span(then, Tone::Strong)]);
    if !impact.is_still() {
        blocks.push(Block::Table(table));
    }
    if let Some(users) = &impact.users {
        blocks.push(Block::text(format!("  of the users given: {}", users.words())));
    }
    for warning in &impact.warnings {
        blocks.push(Block::Whole(vec![span("WARNING: ", Tone::Bad), span(warning, Tone::Strong)]));
    }
}
