//! A service's own endpoints: the health API and the metrics exposition.

use crate::clients::http::Http;
use crate::clients::http::answer::{Answer, COMPRESSED};
use crate::clients::http::request::{Effort, Request};
use crate::clients::http::target::Target;
use liveops_domain::error::{Barrier, Error, Result};
use liveops_domain::metric::exposition;
use liveops_domain::metric::exposition::{Exposition, Format};
use liveops_domain::status::health::ServiceState;

/// The health answer, whatever its status: the caller reads it with `domain::health`.
///
/// # Errors
/// `Unreachable`, `Timeout`.
pub async fn health(http: &Http, target: &Target, effort: Effort) -> Result<Answer> {
    http.send(target, Request::get("api/health").effort(effort)).await
}

/// The detailed health answer, whatever its status.
///
/// # Errors
/// `Unreachable`, `Timeout`.
pub async fn detailed(http: &Http, target: &Target, effort: Effort) -> Result<Answer> {
    http.send(target, Request::get("api/health/detailed").effort(effort)).await
}

/// The state of a service whose health API gave no answer. A refused connection is the machine itself saying that
/// the service is not there. Anything else may be the way to it, so the state is not known.
pub fn state_without_answer(error: &Error) -> ServiceState {
    match error {
        Error::Unreachable { barrier: Barrier::Refused, .. } => ServiceState::Down,
        _ => ServiceState::Unknown,
    }
}

/// Scrapes an exposition and keeps the metrics that are `wanted`; `path` is below the target, and empty when the
/// target is the endpoint itself.
///
/// # Errors
/// As every call; `Malformed` with the line that does not parse.
pub async fn scrape(
    http: &Http,
    target: &Target,
    path: &str,
    effort: Effort,
    wanted: impl Fn(&str) -> bool,
) -> Result<(Exposition, Answer)> {
    let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=1,*/*;q=0.1";
    let answer = http.send(target, Request::get(path).accept(accept).effort(effort)).await?.ok()?;
    // As Prometheus: other successes are no metrics.
    if answer.status != 200 {
        return Err(answer.rejected(&answer.excerpt()));
    }
    if answer.is_compressed() {
        return Err(answer.malformed(COMPRESSED));
    }
    // The type alone does not tell: some exporters send their metrics as HTML.
    if answer.body.trim_ascii_start().starts_with(b"<") {
        return Err(answer.malformed("a web page instead of metrics"));
    }
    let format = Format::from_content_type(&answer.content_type);
    let parsed =
        exposition::parse(&answer.text(), format, wanted).map_err(|error| answer.malformed(error.to_string()))?;
    Ok((parsed, answer))
}
