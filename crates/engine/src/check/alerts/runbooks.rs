//! Does each alert lead to a runbook that is there (A13)?

use std::collections::BTreeSet;

use crate::runbook::library::{RunbookFile, RunbookLibrary};
use crate::session::Session;
use liveops_domain::check::alerts::fires::is_heartbeat;
use liveops_domain::check::alerts::set::RuleSet;
use liveops_domain::check::finding::{Finding, Findings, Level};
use liveops_domain::error::Result;
use liveops_domain::runbook::Purpose;
use liveops_domain::runbook::check::{NamedRunbook, against_rules};
use liveops_domain::runbook::rule::AlertRule;

pub fn check(cx: &Session, set: &RuleSet<'_>, found: &mut Findings) -> Result<()> {
    let library = RunbookLibrary::open(cx)?;
    let books: Vec<NamedRunbook> = library.all()?.into_iter().map(|RunbookFile { filed, .. }| filed).collect();
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut rules = Vec::new();
    for placed in set.alerts() {
        let rule = placed.rule;
        if is_heartbeat(&rule.name, rule.labels.get("severity").map(String::as_str)) {
            continue;
        }
        names.insert(&rule.name);
        rules.push(AlertRule::written(rule));
    }
    for one in against_rules(&books, &rules, &library.shown(Purpose::Alert), |link| library.exists(link)) {
        // An orphan is one only where these are all the rules that there are, and none of them makes its alert.
        let is_orphan = || set.setting.is_complete && !set.alerts().any(|placed| placed.rule.name == one.subject);
        if one.id != "R02" || is_orphan() {
            let level = if one.level >= Level::High { Level::High } else { Level::Low };
            found.add(Finding { id: "A13", level, kind: None, message: None, ..one });
        }
    }
    let documents = &cx.config()?.settings.documents;
    for book in books.iter().filter(|book| names.contains(book.name.as_str())) {
        for one in book.check(documents.sections_of(book.purpose), |_| None) {
            if ["R08", "R09"].contains(&one.id) {
                let why = format!("its runbook: {}", one.why);
                let fix = Some("`liveops check runbooks` has all of it".to_owned());
                found.add(Finding { id: "A13", level: Level::Medium, why, fix, kind: None, message: None, ..one });
            }
        }
    }
    Ok(())
}
