//! `/api/rollout/weight`: the simulated fleet's load balancer, as a guarded rollout of `kind: http` drives it.
//! GET tells the canary's share and the two images; PUT changes what it names, and nothing when `If-Match` is stale.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::release::Release;
use crate::sim::Sim;

/// What a PUT may set; what it leaves out stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    weight: Option<u8>,
    stable: Option<String>,
    /// `null` takes the canary away.
    #[serde(default, deserialize_with = "present")]
    canary: Option<Option<String>>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// The document, and its entity tag.
pub fn show(sim: &Sim) -> (String, Value) {
    let Release { stable, canary, weight, revision, .. } = &sim.release;
    let document = json!({ "weight": weight, "stable": stable, "canary": canary });
    (format!("\"{revision}\""), document)
}

/// Changes it at this instant.
///
/// # Errors
/// 400 for what is no change, 409 for a weight without a canary, 412 when `expected` is not the entity tag.
pub fn change(
    sim: &mut Sim,
    expected: Option<&str>,
    body: &[u8],
    at: DateTime<Utc>,
) -> Result<(), (StatusCode, &'static str, String)> {
    let change: Change =
        serde_json::from_slice(body).map_err(|error| (StatusCode::BAD_REQUEST, "bad_request", error.to_string()))?;
    let (tag, _) = show(sim);
    if expected.is_some_and(|expected| expected != tag) {
        let message = format!("it was changed since: the entity tag is {tag}");
        return Err((StatusCode::PRECONDITION_FAILED, "changed", message));
    }
    let release = &sim.release;
    let weight = change.weight.unwrap_or(release.weight);
    let stable = change.stable.unwrap_or_else(|| release.stable.clone());
    let canary = change.canary.unwrap_or_else(|| release.canary.clone());
    if weight > 100 {
        let message = "`weight` is a percentage".to_owned();
        return Err((StatusCode::BAD_REQUEST, "bad_request", message));
    }
    if weight > 0 && canary.is_none() {
        let message = "there is no canary to send requests to".to_owned();
        return Err((StatusCode::CONFLICT, "no_canary", message));
    }
    sim.release.turn(at, stable, canary, weight);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(sim: &mut Sim, tag: Option<&str>, body: &str) -> Result<(), u16> {
        let at = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        change(sim, tag, body.as_bytes(), at).map_err(|(status, ..)| status.as_u16())
    }

    #[test]
    fn a_weight_needs_a_canary_and_a_fresh_tag() {
        let sim = &mut Sim::new(7);
        assert_eq!(put(sim, None, r#"{"weight": 5}"#), Err(409));
        assert_eq!(put(sim, None, r#"{"weight": 5, "canary": "b:2"}"#), Ok(()));
        assert_eq!(put(sim, Some("\"1\""), r#"{"weight": 10}"#), Err(412));
        assert_eq!(put(sim, Some("\"2\""), r#"{"weight": 10}"#), Ok(()));
        for body in ["", "[]", r#"{"weight": 101}"#, r#"{"wieght": 1}"#] {
            assert_eq!(put(sim, None, body), Err(400), "{body}");
        }
        let (tag, document) = show(sim);
        assert_eq!((tag.as_str(), &document["weight"]), ("\"3\"", &json!(10)));
        assert_eq!(document["canary"], "b:2");
        assert_eq!(put(sim, None, r#"{"canary": null, "weight": 0}"#), Ok(()));
        assert_eq!(show(sim).1["canary"], Value::Null);
    }
}
