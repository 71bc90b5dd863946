//! The names of each kind, with what each is, from local files and the cache.

use std::ffi::OsString;
use std::rc::Rc;

use clap::{Args, Command, FromArgMatches};

use crate::globals::GlobalArgs;
use crate::output::format::Format;
use crate::output::{Colour, Output, TerminalHints};
use liveops_domain::flag::document::Document;
use liveops_domain::incident::severity::Severity;
use liveops_domain::text::escape::is_tame;
use liveops_domain::text::paste::Repeat;
use liveops_domain::text::time::relative;
use liveops_engine::clock::Clock;
use liveops_engine::config::environment::{Dirs, fixed_now};
use liveops_engine::config::layers::{Quick, load};
use liveops_engine::config::schema;
use liveops_engine::files::open::read_through;
use liveops_engine::incident::index;
use liveops_engine::observe::names::{Named, remembered};
use liveops_engine::runbook::library::RunbookLibrary;
use liveops_engine::runbook::scenario::SCENARIOS;
use liveops_engine::session::{Person, Session};
use liveops_engine::undo::audit::newest;

/// What has names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Alert,
    AlertSeverity,
    Change,
    Channel,
    Environment,
    Flag,
    Incident,
    Kpi,
    Policy,
    Region,
    Runbook,
    Service,
    Severity,
    Silence,
    Slo,
}

/// As many changes are offered.
const CHANGES: usize = 30;

/// A name, and what it is.
type Named2 = (String, String);

/// All names of a kind that are known here. Whatever cannot be read offers nothing: Tab is no place for errors.
pub(super) fn all(what: Name, line: &[OsString]) -> Vec<Named2> {
    let found = session(line).map(|cx| of(what, &cx)).unwrap_or_default();
    // A name that a shell or a terminal would take for something else is not offered.
    found.into_iter().filter(|(name, help)| is_tame(name) && is_tame(help)).collect()
}

/// A session that says and asks nothing, as the line's options want it.
fn session(line: &[OsString]) -> Option<Session> {
    let grammar = GlobalArgs::augment_args(Command::new("liveops").ignore_errors(true).no_binary_name(false));
    // Words that are no global option are skipped one by one: `ignore_errors` stops at the first.
    let words = line.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>();
    let mut kept = vec!["liveops".to_owned()];
    for (at, word) in words.iter().enumerate() {
        let value = words.get(at + 1).filter(|value| !value.is_empty());
        match (word.as_str(), value) {
            ("-e" | "--env" | "--config", Some(value)) => kept.extend([word.clone(), value.clone()]),
            _ if word.starts_with("--env=") || word.starts_with("--config=") => kept.push(word.clone()),
            _ => {}
        }
    }
    let global = GlobalArgs::from_arg_matches(&grammar.try_get_matches_from(kept).ok()?).ok()?;
    let quick = Quick { env: global.env.clone().map(|name| (name, "--env".to_owned())), ..Quick::default() };
    let silent = Rc::new(Output::new(Format::default(), Colour::Never, true, TerminalHints::default()));
    let (voice, ask) = (Rc::clone(&silent), silent);
    let person = Person { voice, ask, actor: String::new(), command_line: String::new(), repeat: Repeat::default() };
    let clock = Clock::new(fixed_now().ok()?);
    Some(Session::new(global.into(), quick, person, clock, Dirs::from_environment().ok()?))
}

fn of(what: Name, cx: &Session) -> Vec<Named2> {
    let settings = || cx.config().ok().map(|config| &config.settings);
    let plain = |names: Vec<String>| names.into_iter().map(|name| (name, String::new())).collect();
    let kept = |what| remembered(cx, what).into_iter().collect();
    match what {
        Name::Environment => {
            let loaded = load(&cx.dirs, cx.choices.config.as_deref(), Quick::default(), false);
            plain(loaded.map(|layers| schema::environments(&layers.root)).unwrap_or_default())
        }
        Name::Service => {
            let all = settings().map(|settings| settings.services.as_slice()).unwrap_or_default();
            all.iter().map(|one| (one.name.clone(), one.owner.clone().unwrap_or_default())).collect()
        }
        Name::Kpi => {
            let all = settings().map(|settings| settings.known_kpis().into_owned()).unwrap_or_default();
            all.into_iter().map(|kpi| (kpi.name, kpi.title.unwrap_or_default())).collect()
        }
        Name::Region => plain(settings().map(|settings| settings.regions.clone()).unwrap_or_default()),
        Name::Policy => {
            plain(settings().map(|settings| settings.policies.keys().cloned().collect()).unwrap_or_default())
        }
        Name::Channel => {
            let all = settings().map(|settings| settings.notify.channels.as_slice()).unwrap_or_default();
            plain(all.iter().map(|one| one.name.clone()).collect())
        }
        Name::Slo => plain(cx.config().map(liveops_engine::slo::load::names).unwrap_or_default()),
        Name::Severity => Severity::ALL.iter().map(|one| (one.key().to_owned(), one.alias().to_owned())).collect(),
        Name::AlertSeverity => plain(["critical", "high", "medium", "warning", "low", "info"].map(Into::into).into()),
        Name::Flag => flags_in_file(cx).map_or_else(|| kept(Named::Flag), plain),
        Name::Alert => kept(Named::Alert),
        Name::Silence => kept(Named::Silence),
        Name::Incident => incidents(cx),
        Name::Runbook => runbooks(cx),
        Name::Change => changes(cx),
    }
}

/// Flags that are kept in a file; of a store on the network the last answer is known.
fn flags_in_file(cx: &Session) -> Option<Vec<String>> {
    let config = cx.config().ok()?;
    let path = match &config.settings.flags.endpoint {
        None => config.flag_file("flags.json", None).ok()?,
        Some(endpoint) => {
            let url = endpoint.url.show();
            let path = url.strip_prefix("file:")?;
            config.flag_file(path, Some(&endpoint.url.origin)).ok()?
        }
    };
    let document = Document::parse(&read_through(&path).ok()?).ok()?;
    Some(document.members().map(|(name, _)| name.to_owned()).collect())
}

/// Open ones first, then the newest.
fn incidents(cx: &Session) -> Vec<Named2> {
    let Ok(index) = index(cx) else {
        return Vec::new();
    };
    let mut all: Vec<_> = index.incidents().collect();
    all.reverse();
    all.sort_by_key(|one| !one.phase.is_open());
    all.into_iter().map(|one| (one.id, format!("{} {}", one.severity, one.title))).collect()
}

/// Those of the project, those that liveops can write, and alerts that may want one.
fn runbooks(cx: &Session) -> Vec<Named2> {
    let own = RunbookLibrary::open(cx).and_then(|library| library.all()).unwrap_or_default();
    let mut all: Vec<Named2> = own.into_iter().map(|one| (one.filed.name, one.filed.path)).collect();
    let more = SCENARIOS.iter().map(|one| (one.name.to_owned(), one.when.to_owned()));
    for (name, help) in more.chain(remembered(cx, Named::Alert)) {
        if all.iter().all(|(known, _)| *known != name) {
            all.push((name, help));
        }
    }
    all
}

fn changes(cx: &Session) -> Vec<Named2> {
    let (Ok(scope), Ok(log)) = (cx.change_scope(), newest(cx, |records| records.len() >= CHANGES)) else {
        return Vec::new();
    };
    let mut records = log.records;
    scope.keep_here(&mut records);
    let now = cx.clock.now();
    let mut all: Vec<Named2> =
        records.into_iter().map(|one| (one.id, format!("{}, {}", one.summary, relative(one.at, now)))).collect();
    all.reverse();
    all.truncate(CHANGES);
    all
}
