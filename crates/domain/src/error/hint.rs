//! What to try next, by what went wrong.

use crate::text::shell::word;
use crate::text::suggest::nearest;

/// What to type to see whether something answers there.
pub fn probe(url: &str, options: &str) -> String {
    if url.starts_with("redis") {
        format!("redis-cli -u {url} ping")
    } else if let Some((object, place)) = url.split_once(" in ")
        && let Some((context, namespace)) = place.rsplit_once('/')
    {
        let context = word(context);
        format!("kubectl --context={context} --namespace={namespace} get {object}")
    } else {
        format!("curl {options} {url}")
    }
}

/// What may have been meant instead.
pub fn not_found(what: &str, name: &str, candidates: &[String]) -> String {
    let near = nearest(name, candidates.iter().map(String::as_str));
    match (near, candidates.len()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, 0) => first(what)
            .map_or_else(|| format!("there is no {what} yet"), |way| format!("there is no {what} yet; {way}")),
        (None, n) => {
            let shown: Vec<String> = candidates.iter().take(8).map(|name| format!("`{name}`")).collect();
            let more = if n > 8 { format!(" and {} more", n - 8) } else { String::new() };
            format!("there is {}{more}", shown.join(", "))
        }
    }
}

/// How one comes to the first of a kind.
fn first(what: &str) -> Option<&'static str> {
    Some(match what {
        "runbook" => "`liveops runbook list` shows those that are ready to be written",
        "incident" => "`liveops incident open --sev p2` begins one",
        "flag" => "`liveops flag set NAME --pct 10 --create --dry-run` shows the first",
        "service" => "`services` in liveops.yaml lists them; `liveops init` writes one",
        "KPI" => "`kpis` in liveops.yaml lists them; `liveops init` writes some",
        "SLO" => "`slos` in liveops.yaml lists them; docs/slo.md has examples",
        "policy" => "`policies` in liveops.yaml lists them; docs/rollouts.md has examples",
        "past rollout" => "`liveops rollout status` shows what is under way",
        "silence" => "`liveops silence list --all` shows those that have expired",
        _ => return None,
    })
}

/// What an HTTP status mostly means.
pub fn rejected(system: &str, status: u16) -> String {
    match status {
        401 | 403 => format!(
            "{system} did not accept the credentials; set `headers` for it in the config, by reference: `Authorization: \"Bearer ${{TOKEN}}\"`"
        ),
        404 | 405 => format!("is this {system}'s base URL? `liveops config show --origin` says where it was set"),
        429 => format!("{system} asks for fewer requests; wait a little, then try again"),
        500..=599 => {
            format!("{system} itself is in trouble; look at its logs, then run `liveops doctor`")
        }
        _ => format!("run again with `-v` to see the request that {system} refused"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_found_names_the_nearest() {
        let known = ["game-backend".to_owned(), "lobby".to_owned()];
        let hint = not_found("service", "game-backnd", &known);
        assert_eq!(hint, "did you mean `game-backend`?");
        let hint = not_found("runbook", "x", &[]);
        assert_eq!(hint, "there is no runbook yet; `liveops runbook list` shows those that are ready to be written");
        assert_eq!(not_found("file", "x", &[]), "there is no file yet");
    }

    #[test]
    fn what_answers_is_asked_in_its_own_way() {
        for (url, want) in [
            ("http://p:9090", "curl -v http://p:9090"),
            ("rediss://r:6379", "redis-cli -u rediss://r:6379 ping"),
            (
                "configmap/liveops-rollout-game in arn:aws:eks:eu/prod/game",
                "kubectl --context=arn:aws:eks:eu/prod --namespace=game get configmap/liveops-rollout-game",
            ),
        ] {
            assert_eq!(probe(url, "-v"), want);
        }
    }
}
