//! Tab behind `:`: the candidates that a shell would get.

use clap_complete::engine::complete as candidates;
use liveops_domain::text::shell::words;
use tui_input::Input;

use crate::commands::watch::state::{App, Purpose};
use crate::context::Context;

/// Shown at once; more say how many there are.
const SHOWN: usize = 12;

/// Completes the typed line as far as all candidates agree, and shows them.
pub(crate) fn complete(app: &mut App, cx: &Context) {
    let Some((Purpose::Command, input)) = &app.prompt else {
        return;
    };
    let typed = input.value().to_owned();
    let mut line: Vec<String> = words(&format!("liveops {typed}"));
    if typed.is_empty() || typed.ends_with(' ') {
        line.push(String::new());
    }
    let at = line.len() - 1;
    let last = line[at].clone();
    let mut command = (cx.grammar.command)();
    let args: Vec<std::ffi::OsString> = line.iter().map(Into::into).collect();
    let here = cx.command("");
    crate::complete::begin(words(&here).into_iter().map(Into::into).chain(args.iter().cloned()).collect());
    let Ok(found) = candidates(&mut command, args, at, Some(&cx.dirs.work)) else {
        return;
    };
    let names: Vec<String> = found.iter().map(|one| one.get_value().to_string_lossy().into_owned()).collect();
    let Some(common) = names.iter().cloned().reduce(|a, b| common(&a, &b)) else {
        app.message = None;
        return;
    };
    let head = typed.strip_suffix(&last).unwrap_or(&typed);
    let end = if names.len() == 1 { " " } else { "" };
    if common.len() >= last.len() {
        app.prompt = Some((Purpose::Command, Input::new(format!("{head}{common}{end}"))));
    }
    if names.len() > 1 {
        let more = if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
        app.message = Some(format!("{}{more}", names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("  ")));
    }
}

/// What two texts begin with.
fn common(a: &str, b: &str) -> String {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
}
