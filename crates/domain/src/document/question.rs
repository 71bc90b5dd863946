//! What liveops cannot know: each question with why it matters and where liveops looked. One table for all documents.

use std::collections::BTreeMap;

use crate::document::kind::Syntax;

/// Name in templates, question, why it matters, where liveops looked.
const QUESTIONS: [(&str, &str, &str, &str); 47] = [
    (
        "owner",
        "Who owns each service, and how is that team reached?",
        "an alert without an owner waits",
        "`services[].owner`",
    ),
    ("services", "Which services are there?", "what is not named is not watched", "`services`"),
    (
        "kpis",
        "Which figures say that players are well?",
        "alerts on causes wake people for nothing",
        "`kpis`; until then the presets stand in",
    ),
    (
        "signals",
        "Which metric covers the golden signals without a figure?",
        "what is not measured fails unseen",
        "`kpis`",
    ),
    (
        "slos",
        "Which objectives do users hold us to?",
        "without one, no budget says whether to ship or to repair",
        "`slos`",
    ),
    (
        "database",
        "Which metrics show the database: connections in use of those allowed (alert above 80 % for 10m), query time, deadlocks?",
        "it is the part that is hardest to scale in a hurry",
        "a KPI named `db_connections`",
    ),
    (
        "cache",
        "Which metrics show the cache: hit rate (above 80 %) and memory?",
        "a cold cache turns one slow query into an outage",
        "`kpis`",
    ),
    (
        "disk",
        "Which metric shows how full the disks are (alert above 85 % for 1h)?",
        "a full disk stops writes at once",
        "a KPI named `disk`",
    ),
    (
        "probe",
        "Which metric counts failed health checks, the connection limit, and automatic recoveries?",
        "three failures in a row, 90 % of a limit for 10m, or a recovery need a person to look",
        "`kpis`",
    ),
    (
        "selector",
        "Which labels does the `ruleSelector` of your Prometheus object ask for?",
        "without them the operator never loads these rules",
        "nowhere: `kubectl get prometheus -A -o yaml` shows it",
    ),
    (
        "dashboards",
        "Where are the dashboards opened?",
        "the first five minutes begin there",
        "`monitoring/dashboards/`, written by `liveops new grafana`",
    ),
    (
        "cost",
        "What may it cost a month in each category, per player (a usual goal: below $0.50) and per 1000 requests, now and with ten times the players?",
        "without a budget nobody sees that a month is spent on its 20th day",
        "nowhere: the configuration has no key for it",
    ),
    (
        "on_call",
        "Who is on call, and when is it handed over?",
        "a page that reaches nobody is silence",
        "`notify.schedule`",
    ),
    (
        "channels",
        "By which channels are people paged and notified?",
        "without one nobody hears of an incident",
        "`notify.channels`, `notify.rules`",
    ),
    (
        "escalation",
        "Who is called when nobody acknowledges, or after 30 minutes without mitigation: name and number?",
        "the second call decides how long an outage lasts",
        "`notify.rules[].page`",
    ),
    (
        "communication",
        "Who tells players and stakeholders, where, and how often?",
        "silence costs more trust than the outage",
        "`notify.rules[].tell`; a status page of one's own is not in the configuration",
    ),
    (
        "roles",
        "Who can be incident commander, and who may decide to roll back?",
        "at night nobody should have to ask",
        "nowhere: this is a decision of people",
    ),
    (
        "approver",
        "Who approves an emergency change, and how at night?",
        "a hotfix without a second pair of eyes is a second incident",
        "`policies.*.approval`",
    ),
    (
        "hotfix_branch",
        "From which branch or tag is a hotfix built, and which tests must pass?",
        "the fix alone should be new",
        "nowhere: it is in your repository's rules",
    ),
    (
        "policy",
        "By which policy does each service roll out?",
        "without one everything goes to 100 % at once",
        "`services[].rollout.policy`, `policies`",
    ),
    ("workload", "Which Deployment runs each service?", "rollback and scaling need its name", "`services[].workload`"),
    (
        "window",
        "In which hours is traffic lowest?",
        "what breaks then hits the fewest players",
        "nowhere: `liveops query --kpi NAME --range 7d --plot` shows it where Prometheus keeps it",
    ),
    (
        "freezes",
        "When is deploying forbidden: events, holidays, the start of a season?",
        "a freeze that is not written down is found out by breaking it",
        "`freezes`, which the gate `check deploy` enforces",
    ),
    (
        "staging",
        "Where is a new version tried before players get it?",
        "without such a place the first players are the test",
        "`environments`: there is no other one that is not protected",
    ),
    (
        "gates",
        "Which tests and which load test must be green before production?",
        "a gate that is not written down is passed over",
        "CI files written by `liveops new ci-github` or `ci-gitlab`",
    ),
    (
        "release_notes",
        "Where are release notes and player feedback kept?",
        "what players report after a deployment is its last test",
        "nowhere",
    ),
    (
        "stores",
        "Which data stores are there, and which of them must survive?",
        "what is not on the list is not backed up",
        "`backups`, `environments.*.flags`, `environments.*.clickhouse`",
    ),
    (
        "rpo",
        "How much data may be lost of each (RPO), and how long may a restore take (RTO)?",
        "frequency of backups and size of the restore follow from it",
        "`backups`",
    ),
    (
        "rto",
        "How long may a restore take (RTO)?",
        "the size of the restore follows from it, and what is promised in an outage",
        "`backups[].rto`",
    ),
    (
        "backup_copies",
        "Where do copies in another place lie, are they encrypted, and who has the key?",
        "a backup beside its source burns with it",
        "`backups[].copies`, `backups[].encrypted`",
    ),
    (
        "restore_test",
        "When was the last restore tested, by whom, and how long did it take?",
        "a backup that was never restored is a hope",
        "`backups`",
    ),
    (
        "network",
        "How does traffic reach the services: DNS, load balancer, regions, ports?",
        "half of all full outages begin there",
        "`environments`",
    ),
    (
        "redundancy",
        "Which part is there only once?",
        "that one decides the availability of all",
        "`services[].workload`",
    ),
    (
        "dependencies",
        "Which outside systems do players need: login, payment, platform?",
        "when they fail, ours looks broken",
        "`dependencies`",
    ),
    (
        "limits",
        "What is the most that each service was seen to carry in a load test?",
        "headroom is a guess without it",
        "nowhere: a load test shows it",
    ),
    (
        "growth",
        "What growth and which events are expected in the next quarter?",
        "capacity takes longer to buy than to need",
        "nowhere: this is a decision of people",
    ),
    (
        "reviewer",
        "Who reviews, on which date, and what is decided?",
        "a review without a name and a date is none",
        "nowhere: this is a decision of people",
    ),
    (
        "risks",
        "Which risks are accepted, by whom, and until when?",
        "an accepted risk without an end stays for ever",
        "`liveops.waivers.yaml`",
    ),
    (
        "slo_agreement",
        "Who agreed to these objectives, and when are they looked at again?",
        "an objective that nobody agreed to stops no deployment",
        "nowhere: this is a decision of people",
    ),
    (
        "exclusions",
        "Which times do not count, such as announced maintenance?",
        "an exclusion that is made afterwards is an excuse",
        "`slos[].exclusions`",
    ),
    (
        "budget_policy",
        "What happens when the error budget is spent, and who may make an exception?",
        "an objective without a consequence is a wish",
        "`policies.*.preflight`, `slo check` in CI",
    ),
    (
        "windows",
        "Which maintenance windows are there, and who hears of them before?",
        "players forgive what was announced",
        "`freezes`; windows of maintenance are not in the configuration",
    ),
    (
        "retention",
        "How long are logs, metrics and events kept, and who prunes them?",
        "disks fill in silence",
        "nowhere",
    ),
    (
        "alertmanager",
        "Where is Alertmanager?",
        "without it alerts fire and nobody is paged",
        "`environments.*.alertmanager`",
    ),
    (
        "migrations",
        "Where are the database migrations?",
        "one that locks a table stops the game; the gate `liveops check migration PATH` reads them",
        "folders `migrations`, `db/migrations`, `database/migrations`, `sql/migrations`",
    ),
    (
        "install",
        "How does CI get liveops?",
        "`.ci/install-liveops` is called above, and must put one pinned version on PATH",
        "nowhere; a line such as `cargo install --locked --git https://github.com/liveops/liveops --rev COMMIT` does it",
    ),
    (
        "receivers",
        "By which channel does Alertmanager reach people of this severity?",
        "until it has one, these alerts reach nobody",
        "`notify.channels`, `notify.rules`",
    ),
];

/// The questions as a document writes them; `owner` is who should answer.
pub fn questions(owner: Option<&str>, syntax: Syntax) -> BTreeMap<&'static str, String> {
    let owner = owner.unwrap_or("owner?");
    let of = |(id, what, why, looked): (&'static str, &str, &str, &str)| {
        let looked = match looked.strip_prefix("nowhere") {
            None => format!("liveops looked in: {looked}"),
            Some("") => "liveops has nowhere to look".to_owned(),
            Some(why) => format!("liveops cannot look{why}"),
        };
        let text = match syntax {
            Syntax::Markdown => {
                format!("> **TODO({owner}):** {what} It matters: {why}. {looked}.")
            }
            Syntax::Yaml | Syntax::Json => {
                format!("# TODO({owner}): {what} It matters: {why}. {looked}.")
            }
        };
        (id, text)
    };
    QUESTIONS.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_has_its_own_name_and_all_parts() {
        let all = questions(None, Syntax::Markdown);
        assert_eq!(all.len(), QUESTIONS.len());
        for (id, what, why, looked) in QUESTIONS {
            assert!(what.ends_with('?') && !why.ends_with('.') && !looked.is_empty(), "{id}");
        }
    }
}
