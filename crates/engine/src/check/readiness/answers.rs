//! What people say: read, asked once at a terminal, kept.

use chrono::{Days, NaiveDate};

use crate::config::trust::Place;
use crate::files::file::write_shared;
use crate::files::open::read_text;
use crate::session::Session;
use liveops_domain::check::manifest::outcome::Outcomes;
use liveops_domain::check::readiness::answers::{Answer, Answers, Said};
use liveops_domain::error::{Error, Result};
use liveops_domain::text::shell::word;

/// How long an answer holds where nothing else is said.
const HALF_A_YEAR: Days = Days::new(182);

/// Where they are kept, as it is shown.
pub(super) fn file(service: &str) -> String {
    format!("readiness/{service}.yaml")
}

fn place() -> Place {
    Place::usual("what people say of services", "readiness")
}

fn path(cx: &Session, service: &str) -> Result<std::path::PathBuf> {
    if service.contains(['/', '\\']) || service.starts_with('.') {
        return Err(Error::usage(format!("`{service}` cannot be the name of a service"), "see `liveops config show`"));
    }
    cx.config()?.file_in(&place(), &format!("{service}.yaml"))
}

/// Reads them; none where there is no file.
pub(super) fn read(cx: &Session, service: &str) -> Result<Answers> {
    let path = path(cx, service)?;
    match read_text(&path) {
        Ok(text) => Answers::read(&text).map_err(|why| {
            let hint = "correct it, or remove the answer: it is asked anew";
            Error::usage(format!("{} cannot be used: {why}", file(service)), hint)
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Answers::default()),
        Err(source) => Err(Error::Io { action: "read", path, source }),
    }
}

/// Asks what is open, and keeps each answer at once: whoever stops halfway has lost nothing. Enter leaves it unknown.
pub(super) fn ask(
    cx: &Session,
    service: &str,
    outcomes: &Outcomes,
    answers: &mut Answers,
    today: NaiveDate,
) -> Result<()> {
    let open = answers.open(outcomes, today);
    if open.is_empty() {
        return Ok(());
    }
    cx.voice.note(&format!("what only people know of {}; Enter leaves it unknown", word(service)));
    for rule in open {
        let items = ["not known", "yes", "no", "does not apply", "stop asking"];
        let question = format!("{} {}?", rule.info.id, rule.info.title);
        let answer = match cx.ask.choose(&question, &items)? {
            1 => Said::Yes,
            2 => Said::No,
            3 => Said::NotApplicable,
            4 => break,
            _ => continue,
        };
        let evidence = match answer {
            Said::Yes => cx.ask.text("Evidence: a link, a file, a test", Some(""))?,
            _ => String::new(),
        };
        let owner = cx.ask.text("Who says so", Some(&cx.actor))?;
        let usual = today.checked_add_days(HALF_A_YEAR).unwrap_or(today);
        let until = cx.ask.text("Until when it holds", Some(&usual.to_string()))?;
        let until = NaiveDate::parse_from_str(until.trim(), "%Y-%m-%d").unwrap_or_else(|_| {
            cx.voice.warn(&format!("`{until}` is no day such as {usual}; that is taken"));
            usual
        });
        let evidence = Some(evidence.trim().to_owned()).filter(|text| !text.is_empty());
        answers.answers.insert(rule.info.id.to_owned(), Answer { answer, evidence, owner, until });
        write_shared(&path(cx, service)?, &answers.write(service), true)?;
    }
    Ok(())
}
