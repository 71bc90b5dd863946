//! Who is hit: the figures that are out of their bounds, each by its label, so that one region is told from all of them.

use crate::triage::facts::TriageFacts;
use liveops_domain::error::Result;
use liveops_domain::metric::estimate::Estimate;
use liveops_domain::metric::level::Level;
use liveops_domain::status::{KpiReading, Readings};
use liveops_domain::triage::{CheckResult, Outcome};

/// Words in the names of figures that more replicas would help.
const LOAD: [&str; 6] = ["cpu", "memory", "queue", "saturation", "connections", "load"];

/// What is out of its bounds and where, then how many players there are.
pub async fn scope(facts: &TriageFacts<'_>) -> Result<CheckResult> {
    let status = facts.status.clone().await;
    let readings = match &*status {
        Ok(gathered) => &gathered.readings,
        Err(error) => return Ok(CheckResult::unknown(error.to_string())),
    };
    Ok(judge(readings))
}

fn judge(readings: &Readings) -> CheckResult {
    let level = |wanted| readings.kpis.iter().filter(move |one| one.level == wanted);
    let mut lines: Vec<String> = level(Level::Critical).map(|one| format!("CRITICAL {}", line(one))).collect();
    lines.extend(level(Level::Warn).map(|one| format!("warning {}", line(one))));
    let bad = !lines.is_empty();
    let unknown: Vec<&str> = level(Level::Unknown).map(|one| one.kpi.name.as_str()).collect();
    if !bad && unknown.is_empty() && !readings.kpis.is_empty() {
        lines.push("no figure is out of its bounds".into());
    }
    // Figures by region or mode say how many are hit.
    let counted = level(Level::Ok).filter(|one| !one.by.is_empty());
    lines.extend(counted.map(|one| format!("{}{}", line(one), trend(one))));
    match unknown.len() {
        0 => {}
        n if n > 3 => {
            let why = level(Level::Unknown).find_map(|one| one.note.as_deref());
            lines.push(format!("{n} figures are unknown: {}", why.unwrap_or("no answer")));
        }
        _ => lines.push(format!("unknown: {}", unknown.join(", "))),
    }
    let outcome = if bad {
        Outcome::Suspicious
    } else if !unknown.is_empty() || readings.kpis.is_empty() {
        Outcome::Unknown
    } else {
        Outcome::Clear
    };
    if lines.is_empty() {
        lines.push("nothing is measured".into());
    }
    CheckResult::new(outcome, lines)
}

/// `tick p99: 31 ms (eu 40 ms, us 9 ms), only in eu`.
fn line(one: &KpiReading) -> String {
    let show = |value: Estimate| value.show(&one.kpi.unit);
    let mut text = format!("{}: {}", one.kpi.title(), one.value.map_or_else(|| "unknown".into(), show));
    if one.by.is_empty() {
        return text;
    }
    let rank = |value: Estimate| one.kpi.level(value);
    let mut parts: Vec<(&String, Estimate)> = one.by.iter().map(|(name, value)| (name, *value)).collect();
    parts.sort_by_key(|part| std::cmp::Reverse(rank(part.1)));
    let shown: Vec<String> = parts.iter().take(5).map(|(name, value)| format!("{name} {}", show(*value))).collect();
    let more = parts.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(", {more} more") } else { String::new() };
    text.push_str(&format!(" ({}{more})", shown.join(", ")));
    let hit: Vec<&str> = parts
        .iter()
        .filter(|(_, value)| matches!(rank(*value), Level::Warn | Level::Critical))
        .map(|(name, _)| name.as_str())
        .collect();
    if hit.len() == parts.len() && hit.len() > 1 {
        text.push_str(", everywhere");
    } else if !hit.is_empty() && hit.len() < parts.len() {
        text.push_str(&format!(", only in {}", hit.join(", ")));
    }
    text
}

/// `, 1,400 an hour ago`, where the trend goes back that far.
fn trend(one: &KpiReading) -> String {
    let before = one.trend.iter().take(10).find_map(|value| *value);
    before.map_or_else(String::new, |value| format!(", {} an hour ago", one.kpi.unit.show(value)))
}

/// Figures of load that are out of bounds, in words.
pub fn load(readings: &Readings) -> Vec<String> {
    let bad = readings.kpis.iter().filter(|one| {
        matches!(one.level, Level::Warn | Level::Critical) && LOAD.iter().any(|word| one.kpi.name.contains(word))
    });
    bad.map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::presets;
    use liveops_domain::metric::quantity::Unit;
    use liveops_domain::metric::threshold::Threshold;
    use liveops_domain::status::Origin;

    fn readings(kpis: Vec<KpiReading>) -> Readings {
        Readings { kpis, ..Readings::default() }
    }

    fn tick(whole: f64, by: &[(&str, f64)]) -> KpiReading {
        let mut kpi = presets::kpis().remove(0);
        kpi.name = "queue".into();
        kpi.title = None;
        kpi.unit = Unit::Seconds;
        kpi.warn = None;
        kpi.critical = Some(Threshold::parse("> 20ms", &Unit::Seconds).expect("sound"));
        let by = by.iter().map(|(name, value)| ((*name).to_owned(), (*value).into()));
        KpiReading::known(kpi, Origin::Scrape, whole.into(), by.collect())
    }

    #[test]
    fn one_region_is_told_from_all_of_them() {
        let found = judge(&readings(vec![tick(0.05, &[("eu", 0.05), ("us", 0.01)])]));
        assert_eq!(found.outcome, Outcome::Suspicious);
        assert_eq!(found.lines, ["CRITICAL queue: 50 ms (eu 50 ms, us 10 ms), only in eu"]);
        let all = readings(vec![tick(0.05, &[("eu", 0.05), ("us", 0.04)])]);
        assert!(judge(&all).lines[0].ends_with(", everywhere"));
        assert_eq!(load(&all).len(), 1);
        let calm = judge(&readings(vec![tick(0.01, &[])]));
        assert_eq!(calm.outcome, Outcome::Clear);
    }

    #[test]
    fn what_is_not_known_is_never_clear() {
        let mut one = tick(0.01, &[]);
        one = KpiReading::unknown(one.kpi, Origin::Prometheus, "refused");
        let found = judge(&readings(vec![one]));
        assert_eq!(found.outcome, Outcome::Unknown);
        assert_eq!(found.lines, ["unknown: queue"]);
        assert_eq!(judge(&readings(Vec::new())).outcome, Outcome::Unknown);
    }
}
