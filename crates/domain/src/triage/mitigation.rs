//! What may help, ranked: what the evidence points at first, the fast before the slow, then what helps whatever it is.

use serde::Serialize;

use crate::change::timeline::rank::Suspect;
use crate::change::timeline::{Change, Kind};
use crate::kubernetes::autoscaler::Bounds;
use crate::text::shell::word;

/// Something that can be done about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mitigation {
    pub title: String,
    pub why: String,
    /// What to type; it runs as it stands.
    pub command: String,
    /// 0 to 1, the best first.
    pub score: f64,
}

/// What the ranking rests on.
#[derive(Debug, Default)]
pub struct MitigationFacts<'a> {
    /// The changes that may have done it, the likeliest first.
    pub suspects: &'a [Suspect],
    /// Everything that changed lately.
    pub recent: &'a [Change],
    /// Rollouts under way: the service, and where they stand.
    pub rollouts: Vec<(String, String)>,
    /// The service that is in trouble, where one is known to be.
    pub service: Option<&'a str>,
    /// liveops rolls this service out, so it can take a version back.
    pub rolls_out: bool,
    /// `kubectl` with its context and namespace; none without Kubernetes.
    pub kubectl: Option<String>,
    /// The service's Deployment, where the cluster was asked for it.
    pub workload: Option<Workload>,
    /// Figures of load that are out of bounds, in words.
    pub load: Vec<String>,
    /// Runbooks that there are for it: of the alert first.
    pub runbooks: Vec<String>,
}

/// What runs a service, and what decides its size.
#[derive(Debug)]
pub struct Workload {
    pub deployment: String,
    pub replicas: u64,
    /// Those of its autoscaler, if it has one.
    pub bounds: Option<Bounds>,
}

impl MitigationFacts<'_> {
    /// The mitigations, the best first; each command once.
    pub fn mitigations(&self) -> Vec<Mitigation> {
        let mut found = Vec::new();
        for (service, state) in &self.rollouts {
            let command = format!("liveops rollout abort {}", word(service));
            let why = format!("a rollout is under way: {state}");
            add(&mut found, "stop the rollout, and go back", why, command, 0.95);
        }
        for suspect in self.suspects {
            let change = &suspect.change;
            if let Some(command) = self.way_back(change) {
                // What takes seconds is tried before what takes minutes.
                let speed = if change.kind == Kind::Flag { 1.0 } else { 0.85 };
                let why = format!("{}; {}", change.what, suspect.reasons.join("; "));
                add(&mut found, title(change), why, command, suspect.score * speed);
            }
        }
        // Without a break there are no suspects; what is recent is worth a look all the same.
        for change in self.recent.iter().rev() {
            let Some(command) = self.way_back(change) else {
                continue;
            };
            // What was taken from users was taken for a reason: nobody gives it back without a suspicion.
            let is_kill = change.kind == Kind::Flag && !command.contains(" kill ");
            if !is_kill && matches!(change.kind, Kind::Flag | Kind::Deploy | Kind::Config) {
                add(&mut found, title(change), change.what.clone(), command, 0.15);
            }
        }
        if let (Some(service), Some(workload)) = (self.service, &self.workload) {
            self.scale_out(service, workload, &mut found);
            self.restart(workload, &mut found);
        }
        for (place, name) in self.runbooks.iter().enumerate() {
            let score = if place == 0 { 0.3 } else { 0.07 };
            let why = "its steps are written down, and each is asked for".to_owned();
            let command = format!("liveops runbook run {}", word(name));
            add(&mut found, &format!("follow the runbook `{name}`"), why, command, score);
        }
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found
    }

    /// Half as many again; of an autoscaler that is at its upper bound, half of that more. One that is below it still
    /// decides by itself.
    fn scale_out(&self, service: &str, workload: &Workload, found: &mut Vec<Mitigation>) {
        let more = |now: u64| now.saturating_add(now.div_ceil(2));
        let now = workload.replicas;
        let (title, option, size) = match &workload.bounds {
            None => ("scale out", "--replicas", format!("now {now}")),
            Some(bounds) if now >= bounds.max => {
                ("raise what the autoscaler may take", "--max", format!("at its {now}"))
            }
            Some(_) => return,
        };
        if now == 0 {
            return;
        }
        let (score, why) = if self.load.is_empty() {
            (0.1, "helps when load is the cause, and harms little when it is not".to_owned())
        } else {
            (0.5, self.load.join("; "))
        };
        let command = format!("liveops scale {} {option} {}", word(service), more(now));
        add(found, title, format!("{why} ({size})"), command, score);
    }

    fn restart(&self, workload: &Workload, found: &mut Vec<Mitigation>) {
        if let Some(kubectl) = &self.kubectl {
            let command = format!("{kubectl} rollout restart deployment/{}", word(&workload.deployment));
            let why = "helps when a process is stuck; its matches are lost unless it drains";
            add(found, "restart the pods one by one", why.into(), command, 0.05);
        }
    }

    /// The command that takes a change back.
    fn way_back(&self, change: &Change) -> Option<String> {
        let service = change.service.as_deref();
        if let Some(command) = &change.revert {
            return Some(match (command.strip_prefix("kubectl "), &self.kubectl) {
                (Some(rest), Some(kubectl)) => format!("{kubectl} {rest}"),
                _ => command.clone(),
            });
        }
        let service = service.filter(|_| change.kind == Kind::Deploy)?;
        let is_this = self.service == Some(service);
        if self.rolls_out && is_this {
            return Some(format!("liveops rollout undo {}", word(service)));
        }
        let kubectl = self.kubectl.as_deref()?;
        let named = self.workload.as_ref().filter(|_| is_this).map_or(service, |known| &known.deployment);
        Some(format!("{kubectl} rollout undo deployment/{}", word(named)))
    }
}

fn add(found: &mut Vec<Mitigation>, title: &str, why: String, command: String, score: f64) {
    if found.iter().all(|known| known.command != command) {
        found.push(Mitigation { title: title.to_owned(), why, command, score });
    }
}

fn title(change: &Change) -> &'static str {
    match change.kind {
        Kind::Flag if change.revert.as_deref().is_some_and(|way| way.contains(" kill ")) => "kill the flag",
        Kind::Flag => "take the flag's change back",
        Kind::Deploy => "roll the deployment back",
        Kind::Config => "take the configuration back",
        Kind::Scale => "take the size back",
        _ => "take the change back",
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn suspect(kind: Kind, score: f64, revert: Option<&str>) -> Suspect {
        Suspect {
            change: Change {
                service: Some("game".into()),
                revert: revert.map(ToOwned::to_owned),
                ..Change::new(DateTime::default(), kind, "t", "x")
            },
            score,
            reasons: vec!["12s before the break".into()],
        }
    }

    fn commands(facts: &MitigationFacts<'_>) -> Vec<String> {
        let all = facts.mitigations();
        assert!(all.is_sorted_by(|a, b| a.score >= b.score));
        all.into_iter().map(|one| one.command).collect()
    }

    #[test]
    fn the_fastest_way_back_of_the_likeliest_comes_first() {
        let suspects = [
            suspect(Kind::Deploy, 0.8, None),
            suspect(Kind::Flag, 0.75, Some("liveops flag kill a")),
            suspect(Kind::Flag, 0.75, Some("liveops flag kill a")),
        ];
        let mut facts = MitigationFacts {
            suspects: &suspects,
            service: Some("game"),
            rolls_out: true,
            ..MitigationFacts::default()
        };
        assert_eq!(
            commands(&facts),
            ["liveops flag kill a", "liveops rollout undo game"],
            "of what is not known, nothing is proposed"
        );
        facts.rollouts = vec![("game".into(), "canary at 10 %".into())];
        assert_eq!(commands(&facts)[0], "liveops rollout abort game");
    }

    #[test]
    fn what_kubernetes_deployed_is_taken_back_there() {
        let suspects = [suspect(Kind::Deploy, 0.8, Some("kubectl rollout undo deployment/game"))];
        let facts = MitigationFacts {
            suspects: &suspects,
            service: Some("game"),
            kubectl: Some("kubectl --context=eu".into()),
            workload: Some(Workload { deployment: "game-eu".into(), replicas: 3, bounds: None }),
            load: vec!["cpu is 93 %".into()],
            ..MitigationFacts::default()
        };
        assert_eq!(
            commands(&facts),
            [
                "kubectl --context=eu rollout undo deployment/game",
                "liveops scale game --replicas 5",
                "kubectl --context=eu rollout restart deployment/game-eu"
            ]
        );
    }

    #[test]
    fn an_autoscaler_decides_until_it_may_not() {
        let sized = |replicas| MitigationFacts {
            service: Some("game"),
            workload: Some(Workload {
                deployment: "game".into(),
                replicas,
                bounds: Some(Bounds { name: "game".into(), min: 2, max: 4 }),
            }),
            ..MitigationFacts::default()
        };
        assert_eq!(commands(&sized(3)), [""; 0]);
        assert_eq!(commands(&sized(4)), ["liveops scale game --max 6"]);
        assert_eq!(commands(&sized(0)), [""; 0]);
    }
}
