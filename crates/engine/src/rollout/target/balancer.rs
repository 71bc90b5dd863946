//! A load balancer of one's own, that says and takes the canary's weight as JSON (`kind: http`): `GET` gives
//! `{"weight": 0-100, "stable": IMAGE, "canary": IMAGE}`, `PUT` takes the members that change. An entity tag, where it
//! gives one, is the precondition of a change, and must be another one after each.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::change::confirmed::Confirmed;
use crate::clients::http::Http;
use crate::clients::http::answer::Answer;
use crate::clients::http::request::Request;
use crate::clients::http::target::Target;
use liveops_domain::error::{Error, Result};

/// The balancer at one URL.
#[derive(Debug)]
pub struct Balancer<'a> {
    http: &'a Http,
    target: Target,
}

/// What it says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Weighing {
    /// Percent of the traffic that the canary gets.
    pub weight: f64,
    /// The image of the stable version, when it knows.
    #[serde(default)]
    pub stable: Option<String>,
    /// The image of the canary, when there is one and it knows.
    #[serde(default)]
    pub canary: Option<String>,
    /// The precondition of the next change.
    #[serde(skip)]
    pub tag: Option<String>,
}

impl<'a> Balancer<'a> {
    /// The balancer at this target.
    pub fn new(http: &'a Http, target: Target) -> Self {
        Self { http, target }
    }

    /// Where it is, for messages.
    pub fn url(&self) -> String {
        self.target.url()
    }

    /// The weight as it is.
    pub async fn read(&self) -> Result<Weighing> {
        let answer = self.http.send(&self.target, Request::get("")).await?.ok()?;
        weighing(&answer)
    }

    /// Changes these members, if it is still as `tag` says; without one, whatever it is.
    ///
    /// # Errors
    /// `Conflict` when it is not; those of the connection, `Rejected`, `Malformed`.
    pub async fn change(
        &self,
        members: Map<String, Value>,
        tag: Option<&str>,
        confirmed: &Confirmed,
    ) -> Result<Weighing> {
        let request = Request::change(Method::PUT, "", Some(Value::Object(members)));
        let request = match tag {
            Some(tag) => request.if_match(tag),
            None => request,
        };
        self.put(request, confirmed).await
    }

    /// Changes these members whatever it is, and whatever failed before: the way back waits for no breaker and no
    /// overall deadline.
    pub async fn insist(&self, members: Map<String, Value>, confirmed: &Confirmed) -> Result<Weighing> {
        let request = Request::change(Method::PUT, "", Some(Value::Object(members)));
        self.put(request.insist(), confirmed).await
    }

    async fn put(&self, request: Request, _confirmed: &Confirmed) -> Result<Weighing> {
        let answer = self.http.send(&self.target, request).await?;
        if answer.status == 412 {
            return Err(Error::Conflict {
                what: format!("{} was changed by somebody else", self.url()),
                hint: "look at it again: `liveops rollout status`".into(),
            });
        }
        weighing(&answer.ok()?)
    }
}

fn weighing(answer: &Answer) -> Result<Weighing> {
    let mut weighing: Weighing = answer.json()?;
    if !(0.0..=100.0).contains(&weighing.weight) {
        let what = format!("a weight of {}, which is no percentage", weighing.weight);
        return Err(answer.malformed(what));
    }
    weighing.tag.clone_from(&answer.etag);
    Ok(weighing)
}
