//! The runbooks of alerts whose rules are written: none is left without, and none that is there is touched.

use crate::files::file::write_shared;
use crate::runbook::filled;
use crate::runbook::library::RunbookLibrary;
use crate::runbook::scenario::ALERT;
use crate::session::Session;
use crate::template::Template;
use liveops_domain::check::alerts::file::RuleFile;
use liveops_domain::error::{Error, Result};
use liveops_domain::runbook::Purpose;
use liveops_domain::runbook::rule::AlertRule;

/// Writes the runbooks that are missing, of these alerts and their services, from the rules in this file; their paths.
///
/// # Errors
/// `Io`; `Usage`, where the user's template is wrong.
pub fn write_missing(
    cx: &Session,
    alerts: &[(String, Option<String>)],
    rules: &str,
    place: &str,
) -> Result<Vec<String>> {
    if alerts.is_empty() {
        return Ok(Vec::new());
    }
    let library = RunbookLibrary::open(cx)?;
    let file = RuleFile::read(rules, place);
    let known: Vec<AlertRule> = file.alerts().map(AlertRule::written).collect();
    let template = Template::find(cx, "runbook/alert.md.j2", Some(ALERT))?
        .ok_or_else(|| Error::internal("a shipped template is missing"))?;
    let mut written: Vec<String> = Vec::new();
    for (name, service) in alerts {
        let (shown, path) = library.place(name, Purpose::Alert)?;
        if path.exists() || written.contains(&shown) {
            continue;
        }
        let own: Vec<AlertRule> = known.iter().filter(|rule| rule.name == *name).cloned().collect();
        let services = &cx.config()?.settings.services;
        let first = services.first().map_or(filled::USUAL, |service| service.name.as_str());
        let service = service.as_deref().unwrap_or(first);
        write_shared(&path, &filled::render(&template, name, service, &own, cx)?, false)?;
        written.push(shown);
    }
    Ok(written)
}
