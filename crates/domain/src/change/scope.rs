//! Where a change was made: project, environment, and the backend that it changed. What was done elsewhere is nobody's
//! business here: not listed, not suspected, not offered for undo.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::change::record::ChangeRecord;
use crate::change::undo::Undo;

/// A system that was changed, known by a fingerprint: the address itself may be a secret's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// Such as `redis`.
    pub kind: String,
    pub fingerprint: String,
}

impl Backend {
    /// The backend at an address that has no credentials in it.
    pub fn at(kind: &str, address: &str) -> Self {
        // One machine has several names for itself.
        let address =
            address.to_lowercase().replace("//localhost:", "//127.0.0.1:").replace("//[::1]:", "//127.0.0.1:");
        let digest = Sha256::digest(format!("{kind}\n{}", address.trim_end_matches('/')).as_bytes());
        Self { kind: kind.to_owned(), fingerprint: digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect() }
    }
}

/// Where a record says that it was made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChangeOrigin {
    /// The project's name, or its folder; none where there is no project.
    pub project: Option<String>,
    /// None where it was about no single system.
    pub backend: Option<Backend>,
}

/// The systems that changes are made to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum System {
    Flags,
    Alertmanager,
    Kubernetes,
}

impl System {
    /// The system that an action changes.
    fn of(action: &str, undo: Option<&Undo>) -> Option<Self> {
        if action.starts_with("flag") || matches!(undo, Some(Undo::Flag(_))) {
            return Some(Self::Flags);
        }
        match action.split('.').next().unwrap_or_default() {
            "silence" => Some(Self::Alertmanager),
            "rollout" | "scale" => Some(Self::Kubernetes),
            "undo" => match undo {
                Some(Undo::Silence(_)) => Some(Self::Alertmanager),
                Some(Undo::Rollout(_) | Undo::Scale(_)) => Some(Self::Kubernetes),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Is it of this place?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Locality {
    Here,
    Elsewhere,
    /// An old record of this user, or an address that is not known now.
    Unknown,
}

/// The place that a session works in.
#[derive(Debug, Clone, Default)]
pub struct ChangeScope {
    pub project: Option<String>,
    pub environment: String,
    /// The backends of each system that is configured, those of the regions too; none at all where the address of one
    /// is not known, since a secret is not set.
    pub backends: BTreeMap<System, Option<Vec<Backend>>>,
}

impl ChangeScope {
    /// What a record of this action says of where it was made.
    pub fn origin(&self, action: &str, undo: Option<&Undo>) -> ChangeOrigin {
        let known = System::of(action, undo).and_then(|system| self.backends.get(&system)?.as_ref()?.first());
        ChangeOrigin { project: self.project.clone(), backend: known.cloned() }
    }

    /// Was it made here?
    pub fn locate(&self, record: &ChangeRecord) -> Locality {
        if record.environment != self.environment {
            return Locality::Elsewhere;
        }
        let Some(origin) = &record.origin else {
            return Locality::Unknown;
        };
        if origin.project != self.project {
            return Locality::Elsewhere;
        }
        let (Some(backend), Some(system)) = (&origin.backend, System::of(&record.action, record.undo.as_ref())) else {
            return Locality::Here;
        };
        match self.backends.get(&system) {
            Some(Some(here)) if here.contains(backend) => Locality::Here,
            Some(None) => Locality::Unknown,
            _ => Locality::Elsewhere,
        }
    }

    /// Leaves out what was done elsewhere. What may have been says so, and offers no way back.
    pub fn keep_here(&self, records: &mut Vec<ChangeRecord>) {
        records.retain_mut(|record| self.keeps(record));
    }

    /// Was it made here, as far as is known? Of what may have been made elsewhere, nothing is offered.
    pub fn keeps(&self, record: &mut ChangeRecord) -> bool {
        let locality = self.locate(record);
        if locality == Locality::Unknown {
            record.summary.insert_str(0, "place unknown: ");
            record.undo = None;
        }
        locality != Locality::Elsewhere
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::record::tests::record;

    fn scope(project: &str, store: Option<&str>) -> ChangeScope {
        let flags = store.map(|address| vec![Backend::at("redis", address)]);
        ChangeScope {
            project: Some(project.to_owned()),
            environment: "live".into(),
            backends: [(System::Flags, flags)].into(),
        }
    }

    #[test]
    fn a_change_is_of_the_project_the_environment_and_the_backend_that_it_was_made_in() {
        let here = scope("pa", Some("redis://h:6379"));
        let made = |scope: &ChangeScope, action: &str| ChangeRecord {
            origin: Some(scope.origin(action, None)),
            environment: scope.environment.clone(),
            action: action.into(),
            ..record("c1")
        };
        let flag = made(&here, "flag.set");
        let locate = |scope: &ChangeScope| scope.locate(&flag);
        assert_eq!(locate(&here), Locality::Here);
        assert_eq!(locate(&scope("pb", Some("redis://h:6379"))), Locality::Elsewhere, "another project");
        assert_eq!(locate(&scope("pa", Some("redis://h:6379/1"))), Locality::Elsewhere, "another database");
        assert_eq!(locate(&scope("pa", None)), Locality::Unknown, "the address is a secret that is not set");
        assert_eq!(locate(&ChangeScope { environment: "staging".into(), ..here.clone() }), Locality::Elsewhere);
        assert_eq!(locate(&ChangeScope { backends: BTreeMap::new(), ..here.clone() }), Locality::Elsewhere);
        let step = made(&here, "runbook.step");
        assert_eq!(here.locate(&step), Locality::Here);
        assert_eq!(scope("pb", None).locate(&step), Locality::Elsewhere);
        let old = ChangeRecord { origin: None, ..flag.clone() };
        assert_eq!(here.locate(&old), Locality::Unknown, "an old record does not say");
        assert_eq!(ChangeScope { environment: "staging".into(), ..here }.locate(&old), Locality::Elsewhere);
    }

    #[test]
    fn a_machine_has_one_name_for_itself() {
        let of = |address| Backend::at("alertmanager", address);
        assert_eq!(of("http://localhost:9093"), of("http://127.0.0.1:9093/"));
        assert_ne!(of("http://127.0.0.1:9093"), of("http://127.0.0.1:9094"));
        assert_ne!(of("http://127.0.0.1:9093"), Backend::at("redis", "http://127.0.0.1:9093"));
    }
}
