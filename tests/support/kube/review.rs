//! SelfSubjectAccessReview: may I? Newer `kubectl`s ask in protobuf, of which four strings are read here; the answer
//! is JSON, which all of them take.

use serde_json::{Value, json};

use crate::support::http::Request;

/// Verb and plural that are asked about.
pub(crate) fn asked(request: &Request) -> (String, String) {
    match request.body.strip_prefix(b"k8s\0") {
        // Unknown.raw → SelfSubjectAccessReview.spec → resourceAttributes → verb, resource
        Some(unknown) => {
            let attributes = [2, 2, 1].iter().try_fold(unknown, |bytes, number| field(bytes, *number));
            let word = |number| {
                let bytes = attributes.and_then(|bytes| field(bytes, number));
                String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
            };
            (word(2), word(5))
        }
        None => {
            let review = request.json();
            let attributes = &review["spec"]["resourceAttributes"];
            let word = |name: &str| attributes[name].as_str().unwrap_or_default().to_owned();
            (word("verb"), word("resource"))
        }
    }
}

/// The answer: the review itself, with its verdict.
pub(crate) fn answer(request: &Request, allowed: bool) -> Value {
    let asked = if request.body.starts_with(b"k8s\0") { json!({}) } else { request.json()["spec"].clone() };
    json!({
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": asked,
        "status": { "allowed": allowed },
    })
}

/// The first length-delimited field of this number in a protobuf message.
fn field(mut bytes: &[u8], number: u64) -> Option<&[u8]> {
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        match tag & 7 {
            0 => drop(varint(&mut bytes)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (value, rest) = bytes.split_at_checked(length)?;
                if tag >> 3 == number {
                    return Some(value);
                }
                bytes = rest;
            }
            _ => return None,
        }
    }
    None
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
