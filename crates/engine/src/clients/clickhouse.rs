//! ClickHouse over its HTTP interface. Source: https://clickhouse.com/docs/interfaces/http.

use crate::clients::http::Http;
use crate::clients::http::answer::Answer;
use crate::clients::http::request::Request;
use crate::clients::http::target::Target;
use liveops_domain::error::Result;

/// The server's version: proves that it is reachable and accepts us.
///
/// # Errors
/// As every call.
pub async fn version(http: &Http, target: &Target) -> Result<(String, Answer)> {
    let request = Request::get("").query(vec![("query".into(), "SELECT version()".into())]);
    let answer = http.send(target, request).await?.ok()?;
    Ok((answer.text().trim().to_owned(), answer))
}
