//! Does each alert lead to a runbook that is there (A13)?

use std::collections::BTreeMap;

use crate::runbook::library::{RunbookFile, RunbookLibrary};
use crate::session::Session;
use liveops_domain::check::alerts::file::WrittenRule;
use liveops_domain::check::alerts::fires::is_heartbeat;
use liveops_domain::check::alerts::set::RuleSet;
use liveops_domain::check::finding::{Finding, Findings, Level};
use liveops_domain::error::Result;
use liveops_domain::runbook::Purpose;
use liveops_domain::runbook::check::{NamedRunbook, Weight, against_rules};
use liveops_domain::runbook::rule::AlertRule;

pub fn check(cx: &Session, set: &RuleSet<'_>, found: &mut Findings) -> Result<()> {
    let library = RunbookLibrary::open(cx)?;
    let books: Vec<NamedRunbook> = library.all()?.into_iter().map(|RunbookFile { filed, .. }| filed).collect();
    let mut places: BTreeMap<&str, &WrittenRule> = BTreeMap::new();
    let mut rules = Vec::new();
    for placed in set.alerts() {
        let rule = placed.rule;
        if is_heartbeat(&rule.name, rule.labels.get("severity").map(String::as_str)) {
            continue;
        }
        places.entry(&rule.name).or_insert(rule);
        let alert = AlertRule::written(rule);
        // A page of the project that lies elsewhere.
        let own = alert
            .runbook()
            .filter(|link| !link.contains("://") && library.root.join(link.trim_start_matches('/')).is_file());
        if own.is_none() {
            rules.push(alert);
        }
    }
    for one in against_rules(&books, &rules, &library.shown(Purpose::Alert)) {
        let rule = one.alert.as_deref().and_then(|name| places.get(name));
        let level = if one.weight == Weight::Error { Level::High } else { Level::Low };
        match (rule, one.file) {
            (Some(rule), None) => {
                let finding = rule.finding("A13", level, one.message);
                found.add(match one.command {
                    Some(command) => {
                        finding.fix(format!("write it: `{command}`, or link it by the annotation `runbook_url`"))
                    }
                    None => finding,
                });
            }
            // An orphan, where these are all the rules that there are.
            (None, Some(file)) if set.setting.is_complete && one.kind == "runbook_without_alert" => {
                let subject = one.alert.unwrap_or_else(|| file.clone());
                found.add(
                    Finding::new("A13", level, subject, one.message).at(file, 0).fix("remove it, or write its alert"),
                );
            }
            _ => {}
        }
    }
    let documents = &cx.config()?.settings.documents;
    for book in books.iter().filter(|book| places.contains_key(book.name.as_str())) {
        for one in book.check(documents.sections_of(book.purpose), |_| None) {
            if ["empty_section", "missing_sections"].contains(&one.kind) {
                let finding =
                    Finding::new("A13", Level::Medium, book.name.clone(), format!("its runbook: {}", one.message));
                found.add(
                    finding
                        .at(book.path.clone(), one.line.unwrap_or_default())
                        .fix("`liveops check runbooks` has all of it"),
                );
            }
        }
    }
    Ok(())
}
