//! O01 to O07: what liveops knows of a service beside its manifests.

use crate::check::finding::{Finding, Level};
use crate::check::manifest::outcome::Outcomes;
use crate::text::count::count;

/// Known, or why not.
pub type Known<T> = Result<T, String>;

/// The facts of one service.
#[derive(Debug, Clone)]
pub struct Facts {
    /// How many alerts are about it.
    pub alerts: Known<usize>,
    /// Those of them that reach nobody who can act, and why (A17).
    pub unheard: Known<Vec<(String, String)>>,
    /// Its runbooks that are there, and of these the ones that were run to their end.
    pub runbooks: Known<(Vec<String>, Vec<String>)>,
    /// Its objectives.
    pub slos: Known<Vec<String>>,
    /// The rollout policy, or the runbook of a rollback.
    pub rollback: Known<Option<String>>,
    pub flags: Known<usize>,
    /// The backups of its data, and what is wrong with their restore tests.
    pub backups: Known<Vec<(String, Option<String>)>>,
    pub owner: Option<String>,
}

impl Facts {
    /// Judges them.
    pub fn judge(&self, service: &str, out: &mut Outcomes) {
        let mut say = |id: &'static str, verdict: Known<Option<(Level, String, String)>>| match verdict {
            Err(why) => out.unknown(id, service, why),
            Ok(None) => out.pass(id),
            Ok(Some((level, why, fix))) => out.add(Finding::new(id, level, service, why).fix(fix)),
        };
        let bad = |level: Level, why: &str, fix: &str| Ok(Some((level, why.to_owned(), fix.to_owned())));
        say(
            "O01",
            match (&self.alerts, &self.unheard) {
                (Ok(0), _) => bad(
                    Level::High,
                    "no alert is about it",
                    "write them: `liveops new alert-rules`, `liveops slo generate`",
                ),
                (Err(why), _) | (_, Err(why)) => Err(why.clone()),
                (Ok(all), Ok(unheard)) => Ok(unheard.first().map(|(alert, why)| {
                    let others = match unheard.len() - 1 {
                        0 => String::new(),
                        more => format!(" (and so {more} more of {})", count(*all, "alert")),
                    };
                    let fix = "see each: `liveops check alerts --live`".to_owned();
                    (Level::High, format!("{alert}: {why}{others}"), fix)
                })),
            },
        );
        say(
            "O02",
            self.runbooks.clone().and_then(|(there, run)| match (there.is_empty(), run.is_empty()) {
                (true, _) => {
                    bad(Level::Medium, "none of its alerts has a runbook", "write one: `liveops runbook new ALERT`")
                }
                (false, true) => Err(format!("{} was never run to its end on this machine", there.join(", "))),
                (false, false) => Ok(None),
            }),
        );
        say(
            "O03",
            self.slos.clone().map(|slos| {
                let fix = "add one under `slos` in liveops.yaml".to_owned();
                slos.is_empty().then(|| (Level::Medium, "it has no objective".to_owned(), fix))
            }),
        );
        say(
            "O04",
            self.rollback.clone().map(|way| {
                let fix = "set `rollout` of the service in liveops.yaml, or `liveops runbook new rollback`".to_owned();
                way.is_none().then(|| {
                    (Level::High, "it has neither a rollout policy nor a runbook of a rollback".to_owned(), fix)
                })
            }),
        );
        say(
            "O05",
            self.flags.clone().map(|flags| {
                let fix = "put risky features behind one: `liveops flag set NAME`".to_owned();
                (flags == 0).then(|| (Level::Medium, "there is no feature flag".to_owned(), fix))
            }),
        );
        match &self.backups {
            Ok(backups) if !backups.is_empty() => {
                for (name, wrong) in backups {
                    say(
                        "O06",
                        Ok(wrong.as_ref().map(|why| {
                            let fix = format!(
                                "restore one, then `liveops check backups record {name} --restored ID --rows-ok`"
                            );
                            (Level::High, format!("backup {name}: {why}"), fix)
                        })),
                    );
                }
            }
            Ok(_) => say("O06", Err("no backup under `backups` of liveops.yaml is of this service".into())),
            Err(why) => say("O06", Err(why.clone())),
        }
        say(
            "O07",
            match &self.owner {
                Some(_) => Ok(None),
                None => bad(Level::Medium, "it has no owner", "set `owner` of the service in liveops.yaml"),
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        Facts {
            alerts: Ok(3),
            unheard: Ok(vec![]),
            runbooks: Ok((vec!["Down".into()], vec!["Down".into()])),
            slos: Ok(vec!["availability".into()]),
            rollback: Ok(Some("standard".into())),
            flags: Ok(2),
            backups: Ok(vec![("db".into(), None)]),
            owner: Some("platform".into()),
        }
    }

    #[test]
    fn each_fact_is_good_bad_or_unknown() {
        let look = |facts: Facts| {
            let mut out = Outcomes::default();
            facts.judge("game", &mut out);
            let bad: Vec<&str> = out.found.findings.iter().map(|finding| finding.id).collect();
            let open: Vec<&str> = out.found.unknown.iter().map(|unknown| unknown.id).collect();
            (bad, open)
        };
        assert_eq!(look(good()), (vec![], vec![]));
        let none = Facts {
            alerts: Ok(0),
            unheard: Ok(vec![]),
            runbooks: Ok((vec![], vec![])),
            slos: Ok(vec![]),
            rollback: Ok(None),
            flags: Ok(0),
            backups: Ok(vec![("db".into(), Some("never".into()))]),
            owner: None,
        };
        assert_eq!(look(none).0, ["O01", "O02", "O03", "O04", "O05", "O06", "O07"]);
        let down = || "it does not answer".to_owned();
        let silent = Facts {
            alerts: Err(down()),
            runbooks: Ok((vec!["Down".into()], vec![])),
            slos: Err(down()),
            rollback: Err(down()),
            flags: Err(down()),
            backups: Ok(vec![]),
            ..good()
        };
        assert_eq!(look(silent), (vec![], vec!["O01", "O02", "O03", "O04", "O05", "O06"]));
        // One that nobody hears is enough; where the routes are not known, neither is who hears them.
        let deaf = vec![("Down".to_owned(), "it reaches nobody".to_owned())];
        assert_eq!(look(Facts { unheard: Ok(deaf), ..good() }).0, ["O01"]);
        assert_eq!(look(Facts { unheard: Err(down()), ..good() }).1, ["O01"]);
    }
}
