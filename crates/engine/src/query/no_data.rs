//! What to say when a query finds nothing: is the metric there at all, and what is it called?

use std::collections::BTreeSet;

use crate::clients::prometheus::Prometheus;
use liveops_domain::metric::promql::Expression;
use liveops_domain::text::suggest::nearest;

/// Why there may be nothing, and what to ask instead.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct NoDataHints {
    pub hints: Vec<String>,
    /// An expression that may find something.
    pub next: Option<String>,
}

impl NoDataHints {
    fn hint(text: &str) -> Self {
        Self { hints: vec![text.into()], next: None }
    }
}

/// Looks for the reason. Asks for the metric names, and says less when it cannot have them.
pub async fn explain(client: &Prometheus<'_>, promql: &str, known: Option<&Expression>) -> NoDataHints {
    let Some(known) = known else {
        return NoDataHints::default();
    };
    if known.metrics.is_empty() {
        return NoDataHints::hint("try a part of the expression, without comparisons and matchers");
    }
    match client.metric_names(&[]).await {
        Err(_) => NoDataHints::default(),
        Ok(names) if names.is_empty() => {
            NoDataHints::hint("this Prometheus has no metrics at all; is anything scraped?")
        }
        Ok(names) => judge(promql, &known.metrics, &names),
    }
}

fn judge(promql: &str, wanted: &[String], names: &BTreeSet<String>) -> NoDataHints {
    let mut absence = NoDataHints::default();
    for name in wanted.iter().filter(|name| !names.contains(*name)) {
        let near = near(name, names);
        absence.hints.push(match near {
            Some(near) => format!("there is no metric `{name}`; did you mean `{near}`?"),
            None => format!("there is no metric `{name}`"),
        });
        if let Some(near) = near.filter(|_| promql.matches(name.as_str()).count() == 1) {
            let corrected = absence.next.as_deref().unwrap_or(promql);
            absence.next = Some(corrected.replacen(name.as_str(), near, 1));
        }
    }
    if absence.hints.is_empty() {
        let text = if wanted.len() == 1 {
            "the metric exists: its labels, a comparison or the time leave nothing over"
        } else {
            "the metrics exist: labels, a comparison or the time leave nothing over"
        };
        absence.hints.push(text.into());
        absence.next = wanted.first().filter(|name| *name != promql).cloned();
    }
    absence
}

/// The nearest name; else the only one that holds the same words.
fn near<'a>(name: &str, names: &'a BTreeSet<String>) -> Option<&'a str> {
    nearest(name, names.iter().map(String::as_str)).or_else(|| {
        let mut holding = names.iter().filter(|known| known.contains(name));
        let first = holding.next()?;
        holding.next().is_none().then_some(first.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_missing_and_what_is_near() {
        let names = ["game_active_players", "up", "http_requests_total"].map(String::from);
        for (promql, wanted, hint, next) in [
            (
                "sum(game_active_player)",
                "game_active_player",
                "there is no metric `game_active_player`; did you mean `game_active_players`?",
                Some("sum(game_active_players)"),
            ),
            (
                "active_players",
                "active_players",
                "there is no metric `active_players`; did you mean `game_active_players`?",
                Some("game_active_players"),
            ),
            ("zzz", "zzz", "there is no metric `zzz`", None),
            ("up == 5", "up", "the metric exists: its labels, a comparison or the time leave nothing over", Some("up")),
        ] {
            let found = judge(promql, &[wanted.to_owned()], &names.iter().cloned().collect());
            assert_eq!(found.hints, [hint]);
            assert_eq!(found.next.as_deref(), next);
        }
    }
}
