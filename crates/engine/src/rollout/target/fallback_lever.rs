//! The second lever of a way back: where the object with the weights cannot be written, what stands behind the canary's
//! share is made to mean the stable pods. It is another object, with permissions of its own.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clients::kubectl::object::{Object, Resource};
use liveops_domain::error::Result;

/// What it turns, and both of its positions. Kept in the undo note, so that anybody can pull it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FallbackLever {
    /// What the canary's Service selects.
    Service { canary_service: String, stable: Value, canary: Value },
    /// The labels of the canary's subset in a DestinationRule of Istio.
    Subset { destination_rule: String, subset: String, stable: Value, canary: Value },
}

impl FallbackLever {
    /// The canary's subset of this host, where one of these DestinationRules says what both of the subsets mean.
    pub fn subset(rules: &[Value], host: &str, stable: &str, canary: &str) -> Option<Self> {
        let labels = |rule: &Value, name: &str| {
            let subsets = rule["spec"]["subsets"].as_array()?;
            let subset = subsets.iter().find(|subset| subset["name"] == name)?;
            Some(subset["labels"].clone()).filter(Value::is_object)
        };
        let found: Vec<Self> = rules
            .iter()
            .filter(|rule| is_host(rule["spec"]["host"].as_str().unwrap_or_default(), host))
            .filter_map(|rule| {
                Some(Self::Subset {
                    destination_rule: rule["metadata"]["name"].as_str()?.to_owned(),
                    subset: canary.to_owned(),
                    stable: labels(rule, stable)?,
                    canary: labels(rule, canary)?,
                })
            })
            .collect();
        match found.as_slice() {
            [only] => Some(only.clone()),
            // Istio merges several, and which of them would be heard is not for us to guess.
            _ => None,
        }
    }

    /// The kind of object that it turns.
    pub fn resource(&self) -> Resource {
        match self {
            Self::Service { .. } => Resource::Service,
            Self::Subset { .. } => Resource::DestinationRule,
        }
    }

    /// The object that it turns.
    pub fn object(&self) -> Result<Object> {
        match self {
            Self::Service { canary_service, .. } => Object::new(Resource::Service, canary_service),
            Self::Subset { destination_rule, .. } => Object::new(Resource::DestinationRule, destination_rule),
        }
    }

    /// The JSON Patch that pulls it (`pulled`), or puts it back as it was; none where it is so.
    pub fn turn(&self, object: &Value, pulled: bool) -> Option<Value> {
        let (Self::Service { stable, canary, .. } | Self::Subset { stable, canary, .. }) = self;
        let to = if pulled { stable } else { canary };
        match self {
            Self::Service { .. } => (object["spec"]["selector"] != *to)
                .then(|| json!([{ "op": "replace", "path": "/spec/selector", "value": to }])),
            Self::Subset { subset, .. } => {
                let subsets = object["spec"]["subsets"].as_array()?;
                let index = subsets.iter().position(|one| one["name"] == *subset)?;
                let path = format!("/spec/subsets/{index}");
                (subsets[index]["labels"] != *to).then(|| {
                    json!([
                        { "op": "test", "path": format!("{path}/name"), "value": subset },
                        { "op": "replace", "path": format!("{path}/labels"), "value": to },
                    ])
                })
            }
        }
    }

    /// What it has done, pulled.
    pub fn done(&self) -> String {
        match self {
            Self::Service { canary_service, .. } => {
                format!("Service `{canary_service}` selects the stable pods")
            }
            Self::Subset { destination_rule, subset, .. } => {
                format!("subset `{subset}` of DestinationRule `{destination_rule}` means the stable pods")
            }
        }
    }
}

/// Is it the same host, one of them perhaps in its short form?
fn is_host(one: &str, other: &str) -> bool {
    let short = |host: &str| host.split('.').next().map(ToOwned::to_owned);
    one == other || (one.contains('.') != other.contains('.') && short(one) == short(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(host: &str, subsets: &Value) -> Value {
        json!({ "metadata": { "name": "game" }, "spec": { "host": host, "subsets": subsets } })
    }

    #[test]
    fn a_subset_is_turned_by_its_name_and_back_as_it_was() {
        let subsets = json!([
            { "name": "new", "labels": { "track": "canary" }, "trafficPolicy": {} },
            { "name": "old", "labels": { "track": "stable" } },
        ]);
        let before = rule("game.prod.svc.cluster.local", &subsets);
        let fallback = FallbackLever::subset(std::slice::from_ref(&before), "game", "old", "new").unwrap();
        assert_eq!(fallback.turn(&before, false), None);
        let pulled = fallback.turn(&before, true).unwrap();
        assert_eq!(pulled[1]["path"], "/spec/subsets/0/labels");
        assert_eq!(pulled[1]["value"], json!({ "track": "stable" }));
        let mut after = before;
        after["spec"]["subsets"][0]["labels"] = pulled[1]["value"].clone();
        assert_eq!(fallback.turn(&after, true), None);
        assert_eq!(fallback.turn(&after, false).unwrap()[1]["value"], json!({ "track": "canary" }));
    }

    #[test]
    fn what_is_not_clear_is_no_lever() {
        let both = json!([{ "name": "old", "labels": {} }, { "name": "new", "labels": {} }]);
        let one = json!([{ "name": "old", "labels": {} }]);
        for rules in [
            vec![],
            vec![rule("game", &one)],
            vec![rule("other", &both)],
            vec![rule("game.a", &both), rule("game", &both)],
        ] {
            let found = FallbackLever::subset(&rules, "game", "old", "new");
            assert_eq!(found, None, "{rules:?}");
        }
    }

    #[test]
    fn a_note_of_an_older_version_is_read() {
        let old = json!({ "canary_service": "c", "stable": { "a": "b" }, "canary": {} });
        let fallback: FallbackLever = serde_json::from_value(old.clone()).unwrap();
        assert_eq!(fallback.resource(), Resource::Service);
        assert_eq!(serde_json::to_value(fallback).unwrap(), old);
    }
}
