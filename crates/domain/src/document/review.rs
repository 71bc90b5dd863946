//! The operations review as far as the configuration shows it: each check with its risk, its impact and its fix, and the
//! score of all. What only manifests and the cluster show is for `check readiness`.

use serde::Serialize;

use crate::check::finding::Level;
use crate::check::readiness::score::{Band, Score};
use crate::document::facts::{Facts, ServiceFacts};
use crate::text::count::count;

/// What does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReviewFinding {
    pub level: Level,
    pub what: String,
    /// What may happen.
    pub risk: &'static str,
    /// Whom it hits, and how.
    pub impact: &'static str,
    pub fix: &'static str,
}

/// The findings, the worst first, and what they come to.
#[derive(Debug, Serialize)]
pub struct Review {
    pub findings: Vec<ReviewFinding>,
    /// `62 of 100: concerns`
    pub score: String,
    /// `9 of 12 checks hold; 1 BLOCKER, 2 MEDIUM`
    pub summary: String,
    pub recommendation: &'static str,
}

/// A check: its level, whether it holds, what is wrong where it does not, the risk, the impact, the fix.
type Check = (Level, bool, String, &'static str, &'static str, &'static str);

/// Reviews a project, or what belongs to one service.
pub fn review(facts: &Facts) -> Review {
    let mut checks: Vec<Check> = facts.services.iter().flat_map(|one| of_service(one, facts)).collect();
    checks.extend(of_project(facts));
    let (held, all) = (checks.iter().filter(|check| check.1).count(), checks.len());
    let score = Score::of_checks(checks.iter().map(|check| (check.0, check.1)));
    let failed = checks.into_iter().filter(|check| !check.1);
    let mut findings: Vec<ReviewFinding> =
        failed.map(|(level, _, what, risk, impact, fix)| ReviewFinding { level, what, risk, impact, fix }).collect();
    findings.sort_by_key(|one| std::cmp::Reverse(one.level));
    let many = |level: Level| findings.iter().filter(|one| one.level == level).count();
    let numbers = Level::ALL.into_iter().filter(|level| many(*level) > 0);
    let numbers: Vec<String> = numbers.map(|level| format!("{} {}", many(level), level.name())).collect();
    let numbers = if numbers.is_empty() { String::new() } else { format!("; {}", numbers.join(", ")) };
    Review {
        score: score.as_ref().map_or_else(|| "nothing was judged".to_owned(), Score::text),
        summary: format!("{held} of {} hold{numbers}", count(all, "check")),
        recommendation: match score {
            Some(score) if score.blockers > 0 => "do not deploy before the BLOCKERs are mended",
            Some(score) if score.band < Band::MinorGaps => "mend what is HIGH first",
            _ if findings.is_empty() => "deploy",
            _ => "deploy when each finding has an owner and a date",
        },
        findings,
    }
}

fn of_service(service: &ServiceFacts, facts: &Facts) -> Vec<Check> {
    let name = &service.name;
    vec![
        (
            Level::Blocker,
            service.health.is_some(),
            format!("{name} has no health check"),
            "nothing sees that it is down or not ready yet",
            "players meet the outage first, and a rollout goes on over a dead version",
            "set `services[].health`",
        ),
        (
            Level::Blocker,
            service.policy.is_some(),
            format!("{name} has no rollout, and so no way back"),
            "a bad version reaches everybody at once and stays",
            "an outage lasts as long as a new build takes",
            "set `services[].rollout`",
        ),
        (
            Level::High,
            service.owner.is_some(),
            format!("{name} has no owner"),
            "its alerts are nobody's",
            "the time to acknowledge is missed while somebody is looked for",
            "set `services[].owner`",
        ),
        (
            Level::Medium,
            facts.slos.iter().any(|slo| slo.service.as_ref() == Some(name)),
            format!("{name} has no objective"),
            "nothing says when to stop shipping and repair",
            "players get used to a slow service before anybody measures it",
            "add one to `slos`",
        ),
    ]
}

fn of_project(facts: &Facts) -> Vec<Check> {
    let has = |name: &str| facts.backends.iter().any(|one| one.name == name);
    let nobody = |one: &&crate::document::facts::SeverityFacts| one.name == "P1" && one.page.is_empty();
    vec![
        (
            Level::Blocker,
            !facts.services.is_empty(),
            "no service is configured".into(),
            "nothing is watched",
            "every failure is found by players",
            "set `services`",
        ),
        (
            Level::High,
            has("prometheus"),
            "there is no Prometheus".into(),
            "no alert is evaluated, and no figure has a past",
            "failures are found late, and their begin is a guess",
            "set `environments.*.prometheus`",
        ),
        (
            Level::High,
            !facts.channels.is_empty() && !facts.severities.iter().any(|one| nobody(&one)),
            "a P1 pages nobody".into(),
            "an incident is open and nobody knows",
            "the 3 am outage lasts until the morning",
            "set `notify.channels` and `notify.rules`",
        ),
        (
            Level::High,
            !facts.backups.is_empty(),
            "no backup is configured".into(),
            "what is deleted or overwritten is gone",
            "players lose items, currency and progress for good",
            "set `backups`",
        ),
        (
            Level::Medium,
            !facts.protected.is_empty(),
            "no environment is protected".into(),
            "a command meant for staging changes production",
            "players are hit by a slip of the hand",
            "set `protected: true` in the environment that players use",
        ),
        (
            Level::Medium,
            !facts.on_call.is_empty(),
            "nobody is on call in turn".into(),
            "a page goes to whoever happens to look",
            "the same people are woken until they stop answering",
            "set `notify.schedule`",
        ),
        (
            Level::Low,
            !facts.dependencies.is_empty(),
            "no outside system is listed".into(),
            "its outage looks like one of ours",
            "time is lost on the wrong suspect",
            "set `dependencies`",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(health: bool, policy: bool) -> ServiceFacts {
        ServiceFacts {
            name: "game".into(),
            owner: Some("platform".into()),
            health: health.then(|| "http://game".into()),
            metrics: Vec::new(),
            workload: None,
            policy: policy.then(|| "standard".into()),
            traffic: None,
        }
    }

    #[test]
    fn each_finding_has_its_parts_and_a_blocker_decides() {
        let facts = Facts { services: vec![service(true, false)], ..Facts::default() };
        let found = review(&facts);
        assert_eq!(found.findings[0].what, "game has no rollout, and so no way back");
        assert!(found.score.ends_with(": unacceptable to deploy"), "{}", found.score);
        assert!(found.summary.contains("; 1 BLOCKER, 3 HIGH, 3 MEDIUM, 1 LOW"), "{}", found.summary);
        assert_eq!(found.recommendation, "do not deploy before the BLOCKERs are mended");
        for one in &found.findings {
            assert!(!one.risk.is_empty() && !one.impact.is_empty() && !one.fix.is_empty(), "{one:?}");
        }
        let levels: Vec<Level> = found.findings.iter().map(|one| one.level).collect();
        assert!(levels.is_sorted_by(|a, b| a >= b), "{levels:?}");
        let better = review(&Facts { services: vec![service(true, true)], ..Facts::default() });
        assert_eq!(better.findings.len() + 1, found.findings.len());
        assert_ne!(better.recommendation, found.recommendation);
        assert_eq!(review(&Facts::default()).findings[0].what, "no service is configured");
    }
}
