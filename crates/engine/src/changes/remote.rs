//! Changes that outside systems know of: Kubernetes, the flag store, Prometheus, Alertmanager.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::clients::alertmanager::Alertmanager;
use crate::clients::http::request::Effort;
use crate::clients::kubectl::Kubectl;
use crate::clients::prometheus::Prometheus;
use crate::flagstore::FlagStore;
use crate::observe::flags::store;
use crate::observe::names::remember_silences;
use crate::session::Session;
use liveops_domain::alert::matcher::show;
use liveops_domain::alert::silence::SilenceState;
use liveops_domain::change::timeline::{Change, Kind};
use liveops_domain::error::{Error, Result};
use liveops_domain::flag::history::Revision;
use liveops_domain::metric::series::Answer;
use liveops_domain::text::shell::word;

/// Revisions of flags that are looked at.
const REVISIONS: usize = 500;

fn time(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str()?.parse().ok()
}

/// A revision of a Deployment, as its ReplicaSet tells of it.
pub struct PodRevision {
    pub deployment: String,
    pub number: String,
    pub at: DateTime<Utc>,
    pub images: String,
    /// The images before; `None` for the oldest that is kept.
    pub before: Option<String>,
    /// Of Argo Rollouts, which `kubectl rollout` cannot take back.
    is_argo: bool,
}

fn client(cx: &Session) -> Result<Kubectl<'_>> {
    let settings = &cx.config()?.settings;
    let Some(kubernetes) = &settings.kubernetes else {
        return Err(Error::Unconfigured {
            what: "Kubernetes",
            environment: settings.environment.clone(),
            hint: "set `kubernetes.context` and `kubernetes.namespace` in liveops.yaml".into(),
        });
    };
    Ok(Kubectl::new(kubernetes.context.as_deref(), kubernetes.namespace.as_deref(), settings.call_timeout))
}

/// The service that a Deployment belongs to, which may have another name.
fn service_of(cx: &Session, deployment: &str) -> Result<Option<String>> {
    let named = cx.config()?.settings.services.iter().find(|service| {
        let workload = service.workload.as_ref();
        workload.is_some_and(|one| one.deployment.as_deref() == Some(deployment))
    });
    Ok(named.map(|service| service.name.clone()))
}

/// Every revision that the cluster still knows, with the service that it is of.
///
/// # Errors
/// `Unconfigured`; those of `kubectl`.
pub async fn pod_revisions(cx: &Session) -> Result<Vec<(String, PodRevision)>> {
    let sets = client(cx)?.list("replicasets.apps", None).await.map_err(|failure| failure.about("the ReplicaSets"))?;
    let named = |one: PodRevision| {
        let service = service_of(cx, &one.deployment)?.unwrap_or_else(|| one.deployment.clone());
        Ok((service, one))
    };
    in_production(revisions_of(&sets), &sets).into_iter().map(named).collect()
}

/// Rollouts (a ReplicaSet is a revision), rollbacks, and scaling.
pub async fn kubernetes(cx: &Session, since: DateTime<Utc>) -> Result<Vec<Change>> {
    let client = client(cx)?;
    let (sets, events) = tokio::join!(client.list("replicasets.apps", None), client.list("events", None));
    let sets = sets.map_err(|failure| failure.about("the ReplicaSets"))?;
    let mut changes = rollouts(&sets, since);
    // Events are kept for an hour, and not everybody may read them.
    if let Ok(events) = events {
        changes.extend(scalings(&events, &changes));
    }
    for change in &mut changes {
        let Some(deployment) = &change.service else { continue };
        if let Some(service) = service_of(cx, deployment)? {
            change.service = Some(service);
        }
    }
    Ok(changes)
}

/// Where Flagger copies what passed into `NAME-primary`, that is production, and what it was copied from the candidate.
fn in_production(revisions: Vec<PodRevision>, sets: &[Value]) -> Vec<PodRevision> {
    let is_primary = |name: &str| {
        let labels = |set: &Value| set["spec"]["template"]["metadata"]["labels"].as_object().cloned();
        let owned = sets.iter().filter(|set| set["metadata"]["ownerReferences"][0]["name"] == name);
        owned.filter_map(labels).any(|labels| labels.values().any(|value| value == name))
    };
    let mut primaries: Vec<String> =
        revisions.iter().map(|one| one.deployment.clone()).filter(|name| name.ends_with("-primary")).collect();
    primaries.dedup();
    primaries.retain(|name| {
        let of = name.trim_end_matches("-primary");
        is_primary(name) && revisions.iter().any(|one| one.deployment == of)
    });
    let mut all = revisions;
    for primary in primaries {
        let of = primary.trim_end_matches("-primary").to_owned();
        all.retain(|one| one.deployment != of);
        all.iter_mut().filter(|one| one.deployment == primary).for_each(|one| one.deployment.clone_from(&of));
    }
    all
}

/// A ReplicaSet is a revision; the image that it brought is held against its predecessor's.
fn revisions_of(sets: &[Value]) -> Vec<PodRevision> {
    let mut by_owner: BTreeMap<&str, Vec<(DateTime<Utc>, &Value)>> = BTreeMap::new();
    for set in sets {
        let owner = &set["metadata"]["ownerReferences"][0];
        // Argo Rollouts takes a Deployment's place.
        if (owner["kind"] == "Deployment" || owner["kind"] == "Rollout")
            && let (Some(name), Some(at)) = (owner["name"].as_str(), time(&set["metadata"]["creationTimestamp"]))
        {
            by_owner.entry(name).or_default().push((at, set));
        }
    }
    let mut found = Vec::new();
    for (deployment, mut sets) in by_owner {
        sets.sort_by_key(|(at, _)| *at);
        for (index, (at, set)) in sets.iter().enumerate() {
            let notes = &set["metadata"]["annotations"];
            let number = ["deployment.kubernetes.io/revision", "rollout.argoproj.io/revision"];
            let number = number.iter().find_map(|name| notes[*name].as_str()).unwrap_or("?");
            found.push(PodRevision {
                deployment: deployment.to_owned(),
                number: number.to_owned(),
                at: *at,
                images: images(set),
                before: index.checked_sub(1).map(|before| images(sets[before].1)),
                is_argo: set["metadata"]["ownerReferences"][0]["kind"] == "Rollout",
            });
        }
    }
    found
}

/// The revisions that began within the time, as changes.
fn rollouts(sets: &[Value], since: DateTime<Utc>) -> Vec<Change> {
    let change = |one: PodRevision| {
        let PodRevision { deployment, number, at, images, before, is_argo } = one;
        let what = match &before {
            Some(before) if *before != images => {
                format!("{deployment} revision {number}: {before} becomes {images}")
            }
            Some(_) => format!("{deployment} revision {number}: same image, other settings"),
            None => format!("{deployment} revision {number}: {images}, the first"),
        };
        Change {
            service: Some(deployment.clone()),
            reference: Some(format!("{deployment}/{number}")),
            revert: before.filter(|_| !is_argo).map(|_| format!("kubectl rollout undo deployment/{deployment}")),
            ..Change::new(at, Kind::Deploy, "kubernetes", what)
        }
    };
    revisions_of(sets).into_iter().filter(|one| one.at >= since).map(change).collect()
}

fn images(set: &Value) -> String {
    let containers = set["spec"]["template"]["spec"]["containers"].as_array();
    let images: Vec<&str> = containers
        .into_iter()
        .flatten()
        .filter_map(|container| container["image"].as_str())
        // The registry says nothing about the change.
        .map(|image| image.rsplit('/').next().unwrap_or(image))
        .collect();
    images.join(", ")
}

/// Scaling that is no part of a rollout: an autoscaler's, or a ReplicaSet that was there already.
fn scalings(events: &[Value], rollouts: &[Change]) -> Vec<Change> {
    let mut changes = Vec::new();
    for event in events {
        let object = &event["involvedObject"];
        let name = object["name"].as_str().unwrap_or_default();
        let at = ["lastTimestamp", "eventTime"].iter().find_map(|key| time(&event[*key]));
        let (Some(at), Some(message)) = (at, event["message"].as_str()) else {
            continue;
        };
        let near_rollout = || {
            rollouts
                .iter()
                .any(|rollout| rollout.service.as_deref() == Some(name) && (at - rollout.at).num_minutes().abs() < 10)
        };
        let kept = match event["reason"].as_str() {
            Some("SuccessfulRescale") => true,
            Some("ScalingReplicaSet") => !near_rollout(),
            _ => false,
        };
        if kept {
            changes.push(Change {
                service: Some(name.to_owned()),
                ..Change::new(at, Kind::Scale, "kubernetes", format!("{name}: {message}"))
            });
        }
    }
    changes
}

/// The history of flags.
pub async fn flags(cx: &Session, since: DateTime<Utc>) -> Result<Vec<Change>> {
    let Some(store) = store(cx)? else {
        return Err(Error::Unconfigured {
            what: "flag store",
            environment: cx.environment()?.to_owned(),
            hint: "set `flags.url` in liveops.yaml".into(),
        });
    };
    let history = store.history(None, Some(REVISIONS)).await?;
    Ok(revisions(history, since))
}

/// The revisions since a time, each with its way back: a kill while somebody has the flag, an undo of the last one only,
/// since that is what an undo takes back.
fn revisions(history: Vec<Revision>, since: DateTime<Utc>) -> Vec<Change> {
    // A flag that was removed and made again counts its revisions anew.
    let mut last: BTreeMap<String, ((DateTime<Utc>, u64), f64)> = BTreeMap::new();
    for revision in &history {
        let now = ((revision.at, revision.rev), share(&read(revision.after.as_ref())));
        let known = last.entry(revision.flag.clone()).or_insert(now);
        if now.0 >= known.0 {
            *known = now;
        }
    }
    let recent = history.into_iter().filter(|revision| revision.at >= since);
    recent
        .map(|revision| {
            let (newest, reach) = last.get(&revision.flag).copied().unwrap_or_default();
            let is_last = (revision.at, revision.rev) >= newest;
            let mut change = flag(revision);
            change.revert = change.revert.filter(|way| is_last || (reach > 0.0 && way.contains(" kill ")));
            change
        })
        .collect()
}

/// A flag's value, as far as it can be read.
fn read(bytes: Option<&Vec<u8>>) -> Option<Value> {
    serde_json::from_slice(bytes?).ok()
}

/// The share of players that a value lets through, in per cent.
fn share(value: &Option<Value>) -> f64 {
    match value {
        Some(value) if value["enabled"] == true => value["percentage"].as_f64().unwrap_or(100.0),
        _ => 0.0,
    }
}

fn flag(revision: Revision) -> Change {
    let (before, after) = (read(revision.before.as_ref()), read(revision.after.as_ref()));
    let name = &revision.flag;
    let mut parts = Vec::new();
    match (&before, &after) {
        (None, Some(_)) => parts.push("created".to_owned()),
        (_, None) => parts.push("removed".to_owned()),
        (Some(before), Some(after)) => {
            for key in ["enabled", "percentage", "defaultValue"] {
                if before[key] != after[key] {
                    parts.push(format!("{key} {} becomes {}", before[key], after[key]));
                }
            }
            for key in ["allowlist", "blocklist", "rules"] {
                if before[key] != after[key] {
                    parts.push(format!("{key} changed"));
                }
            }
        }
    }
    let reason = revision.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
    // How many players the step reached: those between the two shares, or all that had it.
    Change {
        by: Some(revision.by),
        reference: Some(revision.op),
        share: Some((share(&after) - share(&before)).abs()).filter(|share| *share > 0.0),
        revert: way_back(name, share(&before), share(&after)),
        ..Change::new(revision.at, Kind::Flag, "flags", format!("flag {name}: {}{reason}", parts.join(", ")))
    }
}

/// Who still has it is taken off it at once; where it was taken from everybody, that is undone.
fn way_back(name: &str, before: f64, after: f64) -> Option<String> {
    let name = word(name);
    if after > 0.0 {
        Some(format!("liveops flag kill {name}"))
    } else if before > 0.0 {
        Some(format!("liveops flag undo {name}"))
    } else {
        None
    }
}

/// Processes that began, and rules and configuration that were loaded, as Prometheus saw it.
pub async fn prometheus(cx: &Session, since: DateTime<Utc>) -> Result<Vec<Change>> {
    let client = Prometheus::new(cx.http()?, cx.prometheus()?, Effort::Quick);
    let after = since.timestamp();
    let starts = format!("process_start_time_seconds > {after}");
    let reloads = format!("prometheus_config_last_reload_success_timestamp_seconds > {after}");
    let (starts, reloads) = tokio::join!(client.instant(&starts, None), client.instant(&reloads, None));
    let mut changes = moments(&starts?.answer, Kind::Restart, "started");
    if let Ok(reloads) = reloads {
        changes.extend(moments(&reloads.answer, Kind::Rules, "loaded its rules and configuration"));
    }
    Ok(changes)
}

/// A vector whose values are times.
fn moments(answer: &Answer, kind: Kind, what: &str) -> Vec<Change> {
    let Answer::Vector(series) = answer else {
        return Vec::new();
    };
    let one = |series: &liveops_domain::metric::series::Series| {
        let seconds = series.points.first()?.value.float()?;
        #[expect(clippy::cast_possible_truncation, reason = "far times are refused by chrono")]
        let at = DateTime::from_timestamp_millis((seconds * 1_000.0) as i64)?;
        let label = |name: &str| series.labels.get(name).cloned();
        let job = label("service").or_else(|| label("job"));
        let who = [job.clone(), label("instance")];
        let who: Vec<String> = who.into_iter().flatten().collect();
        Some(Change { service: job, ..Change::new(at, kind, "prometheus", format!("{} {what}", who.join(" "))) })
    };
    series.iter().filter_map(one).collect()
}

/// Silences that began or ended.
pub async fn silences(cx: &Session, since: DateTime<Utc>) -> Result<Vec<Change>> {
    let client = Alertmanager::new(cx.http()?, cx.alertmanager()?, Effort::Quick);
    let now = cx.clock.now();
    let mut changes = Vec::new();
    let silences = client.silences().await?;
    remember_silences(cx, &silences);
    for silence in silences {
        let draft = &silence.draft;
        let matchers = show(&draft.matchers);
        if draft.starts_at >= since {
            let what = format!("silence {matchers}: {}", draft.comment);
            let live = silence.state != SilenceState::Expired;
            changes.push(Change {
                by: Some(draft.created_by.clone()),
                reference: Some(silence.id.clone()),
                revert: live.then(|| format!("liveops silence expire {}", word(&silence.id))),
                ..Change::new(draft.starts_at, Kind::Silence, "alertmanager", what)
            });
        }
        if silence.state == SilenceState::Expired && draft.ends_at >= since && draft.ends_at <= now {
            let what = format!("silence {matchers} ended");
            changes.push(Change::new(draft.ends_at, Kind::Silence, "alertmanager", what));
        }
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(name: &str, at: &str, revision: &str, image: &str) -> Value {
        json!({
            "metadata": { "creationTimestamp": at, "annotations": {"deployment.kubernetes.io/revision": revision},
                "ownerReferences": [{"kind": "Deployment", "name": name}] },
            "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
        })
    }

    #[test]
    fn a_new_replica_set_is_a_rollout_and_says_what_it_replaced() {
        let sets = [
            set("game", "2026-01-15T09:00:00Z", "1", "reg/game:1.41"),
            set("game", "2026-01-15T10:00:00Z", "2", "reg/game:1.42"),
        ];
        let since = "2026-01-15T09:30:00Z".parse().expect("a time");
        let changes = rollouts(&sets, since);
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].what, "game revision 2: game:1.41 becomes game:1.42");
        let event = |reason: &str, at: &str| json!({ "reason": reason, "lastTimestamp": at, "message": "Scaled up to 3", "involvedObject": {"name": "game"} });
        let events = [
            event("ScalingReplicaSet", "2026-01-15T10:01:00Z"),
            event("ScalingReplicaSet", "2026-01-15T10:25:00Z"),
            event("Pulled", "2026-01-15T10:25:00Z"),
        ];
        assert_eq!(scalings(&events, &changes).len(), 1);
    }

    #[test]
    fn what_argo_and_flagger_brought_to_production_counts() {
        let mut argo = set("shop", "2026-01-15T09:00:00Z", "1", "shop:1");
        argo["metadata"]["ownerReferences"][0]["kind"] = "Rollout".into();
        argo["metadata"]["annotations"] = json!({ "rollout.argoproj.io/revision": "4" });
        let mut primary = set("game-primary", "2026-01-15T10:00:00Z", "1", "game:1");
        primary["spec"]["template"]["metadata"] = json!({ "labels": { "app": "game-primary" } });
        // 2 did not pass the canary.
        let candidate = set("game", "2026-01-15T11:00:00Z", "2", "game:2");
        // A database that is called so is none of Flagger's.
        let other = set("db-primary", "2026-01-15T11:00:00Z", "1", "db:1");
        let sets = [argo, primary, candidate, other];
        let all = in_production(revisions_of(&sets), &sets);
        let all: Vec<_> = all.iter().map(|one| (one.deployment.as_str(), one.images.as_str())).collect();
        assert_eq!(all, [("db-primary", "db:1"), ("game", "game:1"), ("shop", "shop:1")]);
        let since = "2026-01-15T00:00:00Z".parse().expect("a time");
        let changes = rollouts(&sets, since);
        assert!(changes.iter().any(|one| one.reference.as_deref() == Some("shop/4")));
    }

    #[test]
    fn an_earlier_change_of_a_flag_is_not_taken_back_by_an_undo() {
        let revision = |rev, before: &str, after: &str| Revision {
            op: format!("c{rev}"),
            flag: "a".into(),
            rev,
            at: DateTime::default(),
            by: "ada".into(),
            reason: None,
            command: String::new(),
            before: Some(before.into()),
            after: Some(after.into()),
        };
        let (on, off) = (r#"{"enabled":true,"percentage":5}"#, r#"{"enabled":false}"#);
        let ways = |history: Vec<Revision>| -> Vec<Option<String>> {
            let changes = revisions(history, DateTime::default());
            changes.into_iter().map(|change| change.revert).collect()
        };
        let kill = Some("liveops flag kill a".to_owned());
        let undo = Some("liveops flag undo a".to_owned());
        assert_eq!(ways(vec![revision(2, on, off), revision(3, off, on)]), [None, kill.clone()]);
        assert_eq!(ways(vec![revision(1, off, on), revision(2, on, off)]), [None, undo]);
        assert_eq!(ways(vec![revision(1, off, on), revision(2, on, on)]), [kill.clone(), kill]);
    }

    #[test]
    fn a_flag_says_what_it_became_and_whom_it_reached() {
        let revision = Revision {
            op: "c1".into(),
            flag: "new_ui".into(),
            rev: 2,
            at: DateTime::default(),
            by: "ada".into(),
            reason: Some("try".into()),
            command: String::new(),
            before: Some(br#"{"enabled":true,"percentage":5}"#.to_vec()),
            after: Some(br#"{"enabled":true,"percentage":15}"#.to_vec()),
        };
        let change = flag(revision);
        assert_eq!(change.what, "flag new_ui: percentage 5 becomes 15 (try)");
        assert_eq!(change.share, Some(10.0));
        assert_eq!(change.revert.as_deref(), Some("liveops flag kill new_ui"));
        let undo = Some("liveops flag undo new_ui".to_owned());
        assert_eq!(way_back("new_ui", 15.0, 0.0), undo);
        assert_eq!(way_back("new_ui", 0.0, 0.0), None);
    }
}
