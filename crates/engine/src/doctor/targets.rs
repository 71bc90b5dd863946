//! The metrics gap: targets that are down, were never scraped, or take too long.

use liveops_domain::text::count::count;
use std::collections::BTreeMap;

use crate::doctor::finding::{Finding, first};
use liveops_domain::metric::series::ScrapeTarget;
use liveops_domain::text::duration::parse_positive;

/// A scrape may take this part of its interval before the next one is in danger.
const SHARE: f64 = 0.5;

/// And never longer than this, in seconds.
const SLOW: f64 = 5.0;

/// Names in one line.
const NAMES: usize = 3;

/// Judges the active targets, job by job.
pub fn judge(targets: &[ScrapeTarget]) -> Vec<Finding> {
    if targets.is_empty() {
        return vec![Finding::warn("targets", "it scrapes nothing").fix(
            "add `scrape_configs` to its configuration; if it only receives or queries, this is as it should be",
        )];
    }
    let mut jobs: BTreeMap<&str, Vec<&ScrapeTarget>> = BTreeMap::new();
    for target in targets {
        let job = target.labels.get("job").map_or("(no job)", String::as_str);
        jobs.entry(job).or_default().push(target);
    }
    let mut findings = Vec::new();
    for (job, all) in &jobs {
        findings.extend(down(job, all));
        findings.extend(never(job, all));
        findings.extend(slow(job, all));
    }
    if findings.is_empty() {
        let all = count(targets.len(), "target");
        findings.push(Finding::ok("targets", format!("{all} up, scraped in time")));
    }
    findings
}

fn down(job: &str, all: &[&ScrapeTarget]) -> Option<Finding> {
    let down: Vec<&&ScrapeTarget> = all.iter().filter(|target| target.health == "down").collect();
    let worst = down.first()?;
    let names: Vec<String> = down.iter().map(|target| instance(target)).collect();
    let how_many = match (down.len(), all.len()) {
        (1, 1) => format!("the only target of job `{job}` is down"),
        (n, m) if n == m => format!("all {n} targets of job `{job}` are down"),
        (1, m) => format!("1 of {m} targets of job `{job}` is down"),
        (n, m) => format!("{n} of {m} targets of job `{job}` are down"),
    };
    // Go repeats the request, which stands there already: `Get "URL": dial tcp …`.
    let error = &worst.last_error;
    let error = error.split_once("\": ").map_or(error.as_str(), |(_, rest)| rest);
    let message = format!("{how_many}: {} ({error})", first(&names, NAMES));
    Some(
        Finding::fail("targets", message)
            .fix(format!("is the process running, and does `curl {}` answer from Prometheus' network?", worst.url))
            .command(format!("liveops query 'up{{job=\"{job}\"}} == 0'")),
    )
}

fn never(job: &str, all: &[&ScrapeTarget]) -> Option<Finding> {
    let waiting = |target: &&&ScrapeTarget| target.health != "down" && target.last_scrape.is_none();
    let names: Vec<String> = all.iter().filter(waiting).map(|target| instance(target)).collect();
    if names.is_empty() {
        return None;
    }
    let message = format!(
        "{} of job `{job}` {} never been scraped: {}",
        count(names.len(), "target"),
        if names.len() == 1 { "has" } else { "have" },
        first(&names, NAMES)
    );
    Some(
        Finding::warn("targets", message)
            .fix("normal in the first minute of a target; if it lasts, look at Prometheus' own log"),
    )
}

fn slow(job: &str, all: &[&ScrapeTarget]) -> Option<Finding> {
    let limit = |target: &ScrapeTarget| {
        let interval = target.interval.as_deref().and_then(|text| parse_positive(text).ok());
        interval.map_or(SLOW, |interval| (interval.as_secs_f64() * SHARE).min(SLOW))
    };
    let slow: Vec<&&ScrapeTarget> =
        all.iter().filter(|target| target.health != "down" && target.duration > limit(target)).collect();
    let worst = slow.iter().max_by(|a, b| a.duration.total_cmp(&b.duration))?;
    let names: Vec<String> = slow.iter().map(|target| instance(target)).collect();
    let interval =
        worst.interval.as_ref().map_or_else(String::new, |interval| format!(" of an interval of {interval}"));
    let message = format!(
        "{} of job `{job}` {} slow to scrape: {} ({:.1} s{interval})",
        count(slow.len(), "target"),
        if slow.len() == 1 { "is" } else { "are" },
        first(&names, NAMES),
        worst.duration
    );
    Some(
        Finding::warn("scrapes", message)
            .fix("serve fewer series from it, cache what is costly to compute, or raise `scrape_interval`")
            .command("liveops query 'topk(5, scrape_duration_seconds)'"),
    )
}

fn instance(target: &ScrapeTarget) -> String {
    target.labels.get("instance").unwrap_or(&target.url).clone()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::doctor::finding::Level;

    fn target(instance: &str, health: &str, duration: f64) -> ScrapeTarget {
        ScrapeTarget {
            labels: [("job", "game"), ("instance", instance)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            url: format!("http://{instance}/metrics"),
            health: health.into(),
            last_error: if health == "down" { "Get \"http://a/\": connection refused".into() } else { String::new() },
            last_scrape: (health != "unknown").then(|| DateTime::from_timestamp(1, 0)).flatten(),
            duration,
            interval: Some("15s".into()),
        }
    }

    #[test]
    fn one_line_a_job_and_kind_of_trouble() {
        for (targets, want) in [
            (vec![target("a", "up", 0.1)], vec![(Level::Ok, "1 target up")]),
            (vec![], vec![(Level::Warn, "it scrapes nothing")]),
            (
                vec![target("a", "down", 0.0), target("b", "up", 0.1)],
                vec![(Level::Fail, "1 of 2 targets of job `game` is down: a (connection refused)")],
            ),
            (
                (0..5).map(|n| target(&format!("h{n}"), "down", 0.0)).collect(),
                vec![(Level::Fail, "all 5 targets of job `game` are down: h0, h1, h2 and 2 more")],
            ),
            (
                vec![target("a", "unknown", 0.0)],
                vec![(Level::Warn, "1 target of job `game` has never been scraped: a")],
            ),
            // Half of 15 s is more than 5 s, so 5 s is the limit.
            (vec![target("a", "up", 5.0)], vec![(Level::Ok, "1 target up")]),
            (
                vec![target("a", "up", 5.1), target("b", "up", 9.0)],
                vec![(Level::Warn, "2 targets of job `game` are slow to scrape: a, b (9.0 s of an interval of 15s)")],
            ),
        ] {
            let found = judge(&targets);
            assert_eq!(found.len(), want.len(), "{found:?}");
            for (found, (level, words)) in found.iter().zip(want) {
                assert_eq!(found.level, level, "{found:?}");
                assert!(found.message.contains(words), "{}", found.message);
            }
        }
    }

    #[test]
    fn half_of_a_short_interval_is_the_limit() {
        let quick = ScrapeTarget { interval: Some("1s".into()), ..target("a", "up", 0.6) };
        assert_eq!(judge(&[quick])[0].level, Level::Warn);
    }
}
