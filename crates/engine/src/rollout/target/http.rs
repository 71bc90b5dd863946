//! `kind: http`: a load balancer of one's own. It needs no cluster; the fleet behind it is its owner's matter.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::change::confirmed::Confirmed;
use crate::clients::kubectl::object::Object;
use crate::rollout::target::balancer::{Balancer, Weighing};
use crate::rollout::target::{Finish, Objection, Release, TrafficTarget};
use liveops_domain::error::{Error, Result};
use liveops_domain::rollout::exposure::{Digests, Fence, Originals, Percent, Readiness, Reading};

/// The target.
#[derive(Debug)]
pub struct HttpTarget<'a> {
    balancer: Balancer<'a>,
}

impl<'a> HttpTarget<'a> {
    /// Of this balancer.
    pub fn new(balancer: Balancer<'a>) -> Self {
        Self { balancer }
    }

    /// A forward write: if the balancer is as it was read.
    async fn set(&self, members: Value, tag: Option<&str>, confirmed: &Confirmed) -> Result<Reading> {
        let after = self.balancer.change(object(members), tag, confirmed).await?;
        Ok(reading(&after))
    }
}

fn object(members: Value) -> Map<String, Value> {
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn reading(seen: &Weighing) -> Reading {
    let one = || Readiness::Ready { available: 1 };
    Reading {
        live: Percent::new(seen.weight).unwrap_or(Percent::ZERO),
        settled: true,
        stable: one(),
        // A balancer that knows of no images has its canary ready whenever it takes a weight.
        canary: match (&seen.canary, &seen.stable) {
            (None, Some(_)) => Readiness::Absent,
            _ => one(),
        },
        version: seen.tag.clone(),
        epoch: None,
        writer: None,
        stable_image: seen.stable.clone(),
        canary_image: seen.canary.clone(),
        digests: Digests::default(),
        broken: None,
    }
}

#[async_trait(?Send)]
impl TrafficTarget for HttpTarget<'_> {
    fn kind(&self) -> &'static str {
        "http"
    }

    fn location(&self) -> String {
        self.balancer.url()
    }

    async fn read_beside(&self, _beside: &[Object]) -> Result<(Reading, Option<Vec<Value>>)> {
        Ok((reading(&self.balancer.read().await?), None))
    }

    async fn originals(&self) -> Result<Originals> {
        let seen = self.balancer.read().await?;
        Ok(Originals {
            weight: Percent::new(seen.weight).unwrap_or(Percent::ZERO),
            stable_available: 1,
            stable_image: seen.stable.clone(),
            release: None,
            canary_image: seen.canary.clone(),
            stable_digest: None,
            stable_revision: None,
            detail: json!({ "weight": seen.weight, "stable": seen.stable, "canary": seen.canary }),
        })
    }

    async fn preflight(&self) -> Result<Vec<Objection>> {
        let seen = self.balancer.read().await?;
        let mut objections = Vec::new();
        if seen.weight > 0.0 {
            objections.push(Objection::rollback_plan(
                true,
                format!(
                    "the canary already has {}% of the traffic, so there is no old version to go back to",
                    seen.weight
                ),
                format!("make it the stable one first: PUT {{\"weight\": 0}} to {}", self.balancer.url()),
            ));
        }
        if seen.tag.is_none() {
            objections.push(Objection::rollback_plan(false, "the balancer gives no ETag, so a change by somebody else at the same instant is not noticed before it is overwritten", "send an `ETag` with the weight, and heed `If-Match`"));
        }
        Ok(objections)
    }

    async fn prepare(&self, Release { image, fence, .. }: Release<'_>, confirmed: &Confirmed) -> Result<Reading> {
        let seen = self.balancer.read().await?;
        // One that speaks of no images is told of none.
        if seen.canary.as_deref() == Some(image) || (seen.canary.is_none() && seen.stable.is_none()) {
            return Ok(reading(&seen));
        }
        if seen.weight > 0.0 {
            return Err(Error::Conflict {
                what: format!(
                    "{} gives {}% to another canary, {}",
                    self.balancer.url(),
                    seen.weight,
                    seen.canary.as_deref().unwrap_or("unknown")
                ),
                hint: "set its weight to 0 first".into(),
            });
        }
        let tag = fence.version.as_deref().or(seen.tag.as_deref());
        self.set(json!({ "canary": image, "weight": 0 }), tag, confirmed).await
    }

    async fn claim(&self, _fence: &Fence, confirmed: &Confirmed) -> Result<()> {
        let seen = self.balancer.read().await?;
        // The weight that it has, once more: the entity tag that the holder before us knows is then an old one.
        // Without entity tags nothing can be refused; the preflight says so.
        if let Some(tag) = seen.tag.as_deref() {
            let same = json!({ "weight": Percent::new(seen.weight).map(number) });
            self.set(same, Some(tag), confirmed).await?;
        }
        Ok(())
    }

    async fn set_exposure(&self, percent: Percent, fence: &Fence, confirmed: &Confirmed) -> Result<Reading> {
        let weight = json!({ "weight": number(percent) });
        self.set(weight, fence.version.as_deref(), confirmed).await
    }

    async fn restore(&self, originals: Option<&Originals>, confirmed: &Confirmed) -> Result<Reading> {
        let members = json!({ "weight": number(originals.map_or(Percent::ZERO, |was| was.weight)) });
        let mut after = self.balancer.insist(object(members), confirmed).await?;
        // After the roles were swapped, the old image has to come back as well; what somebody else has put there stays.
        if let Some(was) = originals
            && let Some(image) = was.stable_image.as_ref().filter(|image| after.stable.as_ref() != Some(image))
            && (was.release.is_none() || after.stable == was.release)
        {
            after = self.balancer.insist(object(json!({ "stable": image })), confirmed).await?;
        }
        Ok(reading(&after))
    }

    async fn finish(&self, Release { image, originals, fence }: Release<'_>, confirmed: &Confirmed) -> Result<Finish> {
        // The roles are swapped where the balancer knows of any; otherwise everything stays with the canary.
        if originals.stable_image.is_some() {
            let members = json!({ "weight": 0, "stable": image, "canary": null });
            self.set(members, fence.version.as_deref(), confirmed).await?;
        }
        Ok(Finish::Done)
    }

    fn undo_by_hand(&self, _originals: Option<&Originals>) -> String {
        let members = json!({ "weight": 0 });
        format!("curl -X PUT -H 'Content-Type: application/json' -d '{members}' {}", self.balancer.url())
    }
}

/// A whole number where it is one: some balancers take no other.
fn number(percent: Percent) -> Value {
    let value = percent.get();
    if value.fract() == 0.0 { json!(value as u64) } else { json!(value) }
}
