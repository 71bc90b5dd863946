//! S3: the list of a bucket, signed (AWS Signature Version 4, path style, so that MinIO and others take it, too).
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::clients::http::Http;
use crate::clients::http::answer::Answer;
use crate::clients::http::request::Request;
use crate::clients::http::target::Target;
use liveops_domain::error::Result;
use liveops_domain::text::secret::Revealed;

/// Pages of a thousand objects.
const PAGES: usize = 50;

/// A bucket, and who asks.
#[derive(Debug)]
pub struct Bucket<'a> {
    pub http: &'a Http,
    pub target: Target,
    pub name: &'a str,
    pub region: &'a str,
    pub access_key: Revealed,
    pub secret_key: Revealed,
    pub now: DateTime<Utc>,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub key: String,
    pub modified: DateTime<Utc>,
    pub bytes: u64,
}

impl Bucket<'_> {
    /// Every object below a prefix.
    ///
    /// # Errors
    /// As every call; `Malformed`.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Object>> {
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..PAGES {
            let mut query = vec![("list-type".to_owned(), "2".to_owned()), ("prefix".to_owned(), prefix.to_owned())];
            query.extend(token.take().map(|token| ("continuation-token".to_owned(), token)));
            let answer = self.get(query).await?;
            let text = answer.text();
            if !text.contains("<ListBucketResult") {
                return Err(answer.malformed("no list of a bucket"));
            }
            for part in text.split("<Contents>").skip(1) {
                let part = part.split("</Contents>").next().unwrap_or_default();
                let object =
                    Self::object(part).ok_or_else(|| answer.malformed("an object without key, time or size"))?;
                all.push(object);
            }
            token = tag(&text, "NextContinuationToken");
            if token.is_none() || tag(&text, "IsTruncated").as_deref() != Some("true") {
                return Ok(all);
            }
        }
        Ok(all)
    }

    fn object(part: &str) -> Option<Object> {
        let modified = DateTime::parse_from_rfc3339(&tag(part, "LastModified")?).ok()?.to_utc();
        Some(Object { key: tag(part, "Key")?, modified, bytes: tag(part, "Size")?.parse().ok()? })
    }

    /// Does the bucket keep objects from being deleted? `None`: it does not say.
    pub async fn is_locked(&self) -> Option<bool> {
        match self.send(vec![("object-lock".to_owned(), String::new())]).await.ok()? {
            answer if answer.status == 200 => Some(answer.text().contains("<ObjectLockEnabled>Enabled")),
            answer if answer.status == 404 => Some(false),
            _ => None,
        }
    }

    async fn get(&self, query: Vec<(String, String)>) -> Result<Answer> {
        let answer = self.send(query).await?;
        if answer.status >= 400 {
            let text = answer.text();
            let said = [tag(&text, "Code"), tag(&text, "Message")].into_iter().flatten().collect::<Vec<_>>().join(": ");
            return Err(answer.rejected(&said));
        }
        Ok(answer)
    }

    async fn send(&self, mut query: Vec<(String, String)>) -> Result<Answer> {
        query.sort();
        let path = format!("/{}", self.name);
        let url = self.target.join(&path);
        let host = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        let date = self.now.format("%Y%m%dT%H%M%SZ").to_string();
        let payload = hex(&Sha256::digest(b""));
        let pairs: Vec<String> =
            query.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
        let canonical = format!(
            "GET\n{}\n{}\nhost:{host}\nx-amz-content-sha256:{payload}\nx-amz-date:{date}\n\n{SIGNED}\n{payload}",
            url.path(),
            pairs.join("&")
        );
        let authorization = self.signature(&date, &canonical);
        let headers = vec![("authorization", authorization), ("x-amz-content-sha256", payload), ("x-amz-date", date)];
        let request = Request::get(path).query(query).headers(headers).accept("application/xml");
        self.http.send(&self.target, request).await
    }

    fn signature(&self, date: &str, canonical: &str) -> String {
        let day = &date[..8];
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
        let mut key = format!("AWS4{}", self.secret_key.expose()).into_bytes();
        for part in [day, self.region, "s3", "aws4_request"] {
            key = sign(&key, part);
        }
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={SIGNED},Signature={}",
            self.access_key.expose(),
            hex(&sign(&key, &text))
        )
    }
}

const SIGNED: &str = "host;x-amz-content-sha256;x-amz-date";

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 3986: what is never anything but itself stays.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The text of the first element of this name.
fn tag(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    Some(plain.iter().fold(inner.to_owned(), |text, (from, to)| text.replace(from, to)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// The documentation's own example: GET Bucket (List Objects).
    #[test]
    fn the_signature_is_that_of_the_documentation() {
        let http = Http::new(Duration::from_secs(1), Duration::from_secs(1));
        let bucket = Bucket {
            http: &http,
            target: Target::new("s3", "https://examplebucket.s3.amazonaws.com", &[]).expect("a target"),
            name: "examplebucket",
            region: "us-east-1",
            access_key: Revealed::new("AKIAIOSFODNN7EXAMPLE".into()),
            secret_key: Revealed::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into()),
            now: "2013-05-24T00:00:00Z".parse().expect("a time"),
        };
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let canonical = format!(
            "GET\n/\nmax-keys=2&prefix=J\nhost:examplebucket.s3.amazonaws.com\nx-amz-content-sha256:{empty}\n\
             x-amz-date:20130524T000000Z\n\n{SIGNED}\n{empty}"
        );
        let signed = bucket.signature("20130524T000000Z", &canonical);
        let want = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
        assert!(signed.ends_with(want), "{signed}");
    }

    #[test]
    fn elements_are_read_and_text_is_plain_again() {
        let part = "<Key>a&amp;b/c</Key><LastModified>2026-11-30T02:00:00.000Z</LastModified><Size>7</Size>";
        let object = Bucket::object(part).expect("an object");
        assert_eq!((object.key.as_str(), object.bytes), ("a&b/c", 7));
        assert_eq!(Bucket::object("<Key>a</Key>"), None);
        assert_eq!(encoded("a b/é"), "a%20b%2F%C3%A9");
    }
}
