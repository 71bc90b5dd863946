//! Lock and state of a rollout in the cluster, for Kubernetes targets: a Lease, whose `leaseTransitions` is the fencing
//! epoch, and a ConfigMap. Whether a holder is gone is judged by our own clock, never by a time that another machine
//! wrote: it is gone when its record has not changed while we watched for the length of the lease.

use std::cell::RefCell;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::change::confirmed::Confirmed;
use crate::clients::kubectl::failure::{Failure, Fault};
use crate::clients::kubectl::object::{Object, Resource};
use crate::clients::kubectl::{Kubectl, MANAGER, Patch};
use crate::clock::Clock;
use crate::rollout::state_store::{SaveOutcome, StateStore, StoredRollout};
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::lock::{Holder, RolloutLock};
use liveops_domain::rollout::state::Rollout;

/// How long a lease is good without being renewed; client-go's default.
const LEASE: Duration = Duration::from_secs(15);

/// Between two looks at somebody else's lease.
const LOOK: Duration = Duration::from_secs(1);

/// Writers that may come between before we give up.
const RIVALS: u32 = 5;

/// Where the state is in the ConfigMap.
const KEY: &str = "rollout";

/// Lease and ConfigMap of one service.
#[derive(Debug)]
pub struct ClusterStateStore<'a> {
    kubectl: Kubectl<'a>,
    clock: Clock,
    lease: Object,
    state: Object,
    service: &'a str,
    /// The lease as we wrote it last, as long as it is ours.
    held: RefCell<Option<Value>>,
    /// The `uid` of the state. A version alone does not keep an apply from making an object anew that was deleted.
    uid: RefCell<Option<Value>>,
}

impl<'a> ClusterStateStore<'a> {
    /// Of this service, in the cluster and namespace of `kubectl`.
    pub fn new(kubectl: Kubectl<'a>, clock: Clock, service: &'a str) -> Result<Self> {
        Ok(Self {
            kubectl,
            clock,
            lease: Object::new(Resource::Lease, &format!("liveops-{service}"))?,
            state: Object::new(Resource::ConfigMap, &format!("liveops-rollout-{service}"))?,
            service,
            held: RefCell::default(),
            uid: RefCell::default(),
        })
    }

    async fn find(&self, object: &Object) -> Result<Option<Value>> {
        let found = self.kubectl.get(std::slice::from_ref(object)).await;
        let found = found.map_err(|failure| failure.about(&self.kubectl.place(object)))?;
        Ok(found.into_iter().next())
    }

    /// The lease with us as holder, under the next epoch.
    fn ours(&self, holder: &str, old: Option<&Value>) -> Value {
        let now = micro(self.clock.now());
        let epoch = old.map_or(0, epoch) + 1;
        let mut metadata = json!({ "name": self.lease.name.as_str() });
        if let Some(old) = old {
            metadata["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
        }
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": LEASE.as_secs(),
                "leaseTransitions": epoch,
                "acquireTime": now,
                "renewTime": now,
            },
        })
    }

    async fn take(&self, holder: &str, old: Option<&Value>, confirmed: &Confirmed) -> Result<Option<RolloutLock>> {
        let lease = self.ours(holder, old);
        let written = match old {
            None => self.kubectl.create(&lease, confirmed).await,
            Some(_) => self.kubectl.replace(&lease, confirmed).await,
        };
        let ours = |lease: Value| {
            let epoch = epoch(&lease);
            self.held.replace(Some(lease));
            Some(RolloutLock { holder: holder.to_owned(), epoch })
        };
        match written {
            Ok(lease) => Ok(ours(lease)),
            Err(Failure { fault: Fault::Conflict | Fault::AlreadyExists | Fault::NotFound, .. }) => Ok(None),
            // The answer may have been lost on its way, after the write.
            Err(failure) => match self.find(&self.lease).await {
                Ok(Some(now)) if now["spec"] == lease["spec"] => Ok(ours(now)),
                _ => Err(failure.about(&self.kubectl.place(&self.lease))),
            },
        }
    }

    /// Watches a held lease until it has not changed for its length; false when it was renewed.
    async fn is_abandoned(&self, seen: &Value) -> Result<bool> {
        let length = seen["spec"]["leaseDurationSeconds"].as_u64();
        let length = length.map_or(LEASE, Duration::from_secs).max(LEASE);
        let began = Instant::now();
        while began.elapsed() < length {
            sleep(LOOK).await;
            match self.find(&self.lease).await? {
                Some(now) if now["spec"] == seen["spec"] => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    fn held(&self, lease: &Value) -> Error {
        Error::Refused {
            why: format!(
                "a rollout of `{}` is under way: {} holds the lock (epoch {})",
                self.service,
                holder(lease),
                epoch(lease)
            ),
            hint: format!(
                "look at it: `liveops rollout status {}`; to end it: `liveops rollout abort {}`",
                self.service, self.service
            ),
        }
    }

    async fn amend(&self, lock: &RolloutLock, change: Value, confirmed: &Confirmed) -> Result<Value> {
        let patch = json!([
            { "op": "test", "path": "/spec/holderIdentity", "value": lock.holder },
            { "op": "test", "path": "/spec/leaseTransitions", "value": lock.epoch },
            change,
        ]);
        let done = self.kubectl.patch(&self.lease, Patch::Json, &patch, None, confirmed);
        match done.await {
            Ok(lease) => Ok(lease),
            Err(failure) if matches!(failure.fault, Fault::Invalid | Fault::NotFound) => Err(Error::Conflict {
                what: format!("the lock of `{}` was taken over by somebody else", self.service),
                hint: format!("look: `liveops rollout status {}`", self.service),
            }),
            Err(failure) => Err(failure.about(&self.kubectl.place(&self.lease))),
        }
    }

    /// Time since it was renewed. No lock is taken by it from a rollout that is under way: clocks of two machines may
    /// differ.
    fn age(&self, lease: &Value) -> Duration {
        let age = self.clock.now() - renewed_at(lease);
        age.to_std().unwrap_or_default()
    }

    /// The lease, renewed: the holder's whole will, as far as it was ever applied.
    fn renewed(&self, lease: &Value) -> Value {
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self.lease.name.as_str(),
                "uid": lease["metadata"]["uid"],
                "resourceVersion": lease["metadata"]["resourceVersion"],
            },
            "spec": {
                "holderIdentity": holder(lease),
                "leaseDurationSeconds": LEASE.as_secs(),
                "leaseTransitions": epoch(lease),
                "renewTime": micro(self.clock.now()),
            },
        })
    }

    /// The state, as it is stored.
    fn written(&self, text: &str) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self.state.name.as_str(),
                "labels": { "app.kubernetes.io/managed-by": "liveops" },
            },
            "data": { KEY: text },
        })
    }

    /// After a run that failed: what of it has come about? The message says of no object which.
    async fn settle(&self, failure: &Failure, text: &str, lease: Option<&Value>) -> Result<SaveOutcome> {
        let asked = [self.state.clone(), self.lease.clone()];
        let place = self.kubectl.place(&self.state);
        let found = self.kubectl.get(&asked).await;
        let found = found.map_err(|_| failure.about(&place))?;
        let of = |object: &Object| found.iter().find(|found| object.is(found));
        let mut renewed = false;
        if let (Some(now), Some(ours)) = (of(&self.lease), lease)
            && holder(now) == holder(ours)
            && epoch(now) == epoch(ours)
        {
            renewed = now["spec"]["renewTime"] == ours["spec"]["renewTime"];
            self.held.replace(Some(now.clone()));
        }
        match of(&self.state) {
            Some(now) if now["data"][KEY] == text => Ok(SaveOutcome { version: version(now), renewed, posted: false }),
            Some(_) if failure.fault == Fault::Forbidden => Err(failure.about(&place)),
            Some(_) => Err(Failure::conflict().about(&place)),
            None => Err(failure.about(&place)),
        }
    }
}

fn text(rollout: &Rollout) -> Result<String> {
    serde_json::to_string(rollout).map_err(|error| Error::internal(&format!("the state: {error}")))
}

#[async_trait(?Send)]
impl StateStore for ClusterStateStore<'_> {
    async fn acquire(&self, me: &str, takeover: bool, confirmed: &Confirmed) -> Result<RolloutLock> {
        for _ in 0..RIVALS {
            let old = self.find(&self.lease).await?;
            if let Some(lease) = &old {
                let held = !holder(lease).is_empty() && holder(lease) != me;
                if held && !takeover && !self.is_abandoned(lease).await? {
                    return match self.find(&self.lease).await? {
                        Some(now) if holder(&now).is_empty() => continue,
                        Some(now) => Err(self.held(&now)),
                        None => continue,
                    };
                }
            }
            if let Some(lock) = self.take(me, old.as_ref(), confirmed).await? {
                return Ok(lock);
            }
        }
        Err(Error::Conflict {
            what: format!("too many others want the lock of `{}`", self.service),
            hint: format!("look: `liveops rollout status {}`", self.service),
        })
    }

    async fn renew(&self, lock: &RolloutLock, confirmed: &Confirmed) -> Result<()> {
        let now = micro(self.clock.now());
        let change = json!({ "op": "replace", "path": "/spec/renewTime", "value": now });
        let lease = self.amend(lock, change, confirmed).await?;
        self.held.replace(Some(lease));
        Ok(())
    }

    async fn release(&self, lock: &RolloutLock, confirmed: &Confirmed) -> Result<()> {
        // The Lease stays: its epoch must never begin anew.
        let change = json!({ "op": "replace", "path": "/spec/holderIdentity", "value": "" });
        self.held.take();
        self.amend(lock, change, confirmed).await.map(drop)
    }

    async fn clear(&self, confirmed: &Confirmed) -> Result<()> {
        let Some(lease) = self.find(&self.lease).await? else {
            return Ok(());
        };
        if holder(&lease).is_empty() || self.age(&lease) < LEASE * 2 {
            return Ok(());
        }
        let lock = RolloutLock { holder: holder(&lease).to_owned(), epoch: epoch(&lease) };
        self.release(&lock, confirmed).await
    }

    async fn holder(&self) -> Result<Option<Holder>> {
        let Some(lease) = self.find(&self.lease).await? else {
            return Ok(None);
        };
        if holder(&lease).is_empty() {
            return Ok(None);
        }
        Ok(Some(Holder {
            holder: holder(&lease).to_owned(),
            epoch: epoch(&lease),
            renewed_at: renewed_at(&lease),
            alive: self.age(&lease) < LEASE,
        }))
    }

    async fn load(&self) -> Result<Option<StoredRollout>> {
        let found = self.find(&self.state).await?;
        self.parse(found.as_slice())
    }

    fn object(&self) -> Option<Object> {
        Some(self.state.clone())
    }

    fn parse(&self, objects: &[Value]) -> Result<Option<StoredRollout>> {
        let Some(object) = objects.iter().find(|object| self.state.is(object)) else {
            return Ok(None);
        };
        self.uid.replace(object["metadata"].get("uid").cloned());
        let text = object["data"][KEY].as_str().unwrap_or_default();
        let rollout: Rollout = serde_json::from_str(text).map_err(|error| Error::Malformed {
            system: "Kubernetes".into(),
            url: self.kubectl.place(&self.state),
            what: format!("a state that liveops did not write, or a newer one: {error}"),
        })?;
        Ok(Some(StoredRollout { rollout, version: version(object) }))
    }

    async fn save(&self, rollout: &Rollout, version_before: Option<&str>, confirmed: &Confirmed) -> Result<String> {
        let mut object = self.written(&text(rollout)?);
        let written = match version_before {
            None => self.kubectl.create(&object, confirmed).await,
            Some(version) => {
                object["metadata"]["resourceVersion"] = json!(version);
                self.kubectl.replace(&object, confirmed).await
            }
        };
        match written {
            Ok(object) => {
                self.uid.replace(object["metadata"].get("uid").cloned());
                Ok(version(&object))
            }
            Err(failure) if matches!(failure.fault, Fault::Timeout | Fault::Other) => {
                // The answer may have been lost on its way, after the write.
                match self.find(&self.state).await? {
                    Some(now) if now["data"][KEY] == object["data"][KEY] => Ok(version(&now)),
                    _ => Err(failure.about(&self.kubectl.place(&self.state))),
                }
            }
            Err(failure) => Err(failure.about(&self.kubectl.place(&self.state))),
        }
    }

    async fn keep(
        &self,
        rollout: &Rollout,
        version_before: Option<&str>,
        notices: &[Value],
        confirmed: &Confirmed,
    ) -> Result<SaveOutcome> {
        let uid = self.uid.borrow().clone();
        let (Some(before), Some(uid)) = (version_before, uid) else {
            // An apply would overwrite what somebody else has made meanwhile.
            let version = self.save(rollout, version_before, confirmed).await?;
            return Ok(SaveOutcome { version, renewed: false, posted: notices.is_empty() });
        };
        let text = text(rollout)?;
        let mut state = self.written(&text);
        state["metadata"]["uid"] = uid;
        state["metadata"]["resourceVersion"] = json!(before);
        let lease = self.held.borrow().as_ref().map(|held| self.renewed(held));
        let renewed = lease.is_some();
        let all = [state].into_iter().chain(lease.clone());
        let all: Vec<Value> = all.chain(notices.iter().cloned()).collect();
        match self.kubectl.apply(&all, confirmed).await {
            Ok(after) => {
                let state = after.iter().find(|object| self.state.is(object));
                if let Some(lease) = after.iter().find(|object| self.lease.is(object)) {
                    self.held.replace(Some(lease.clone()));
                }
                Ok(SaveOutcome { version: state.map(version).unwrap_or_default(), renewed, posted: true })
            }
            Err(failure) => self.settle(&failure, &text, lease.as_ref()).await,
        }
    }

    fn is_costly(&self) -> bool {
        true
    }
}

fn holder(lease: &Value) -> &str {
    lease["spec"]["holderIdentity"].as_str().unwrap_or_default()
}

/// When it was written last, by the clock of the API server, which more machines agree on than on the holder's; by that one
/// where the server does not say.
fn renewed_at(lease: &Value) -> DateTime<Utc> {
    let ours = |entry: &&Value| entry["manager"] == MANAGER;
    let time = |value: &Value| value.as_str()?.parse::<DateTime<Utc>>().ok();
    let entries = lease["metadata"]["managedFields"].as_array();
    let written = entries.into_iter().flatten().filter(ours).filter_map(|entry| time(&entry["time"]));
    written.max().or_else(|| time(&lease["spec"]["renewTime"])).unwrap_or_default()
}

fn epoch(lease: &Value) -> u64 {
    lease["spec"]["leaseTransitions"].as_u64().unwrap_or(0)
}

fn version(object: &Value) -> String {
    let version = object["metadata"]["resourceVersion"].as_str();
    version.unwrap_or_default().to_owned()
}

/// Kubernetes' MicroTime.
fn micro(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}
