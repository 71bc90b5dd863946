//! Carrying a flag from one environment to another, whole or member by member.

use crate::flag::definition::OURS;
use crate::flag::document::{Document, Malformed};

/// Why a flag cannot be carried over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromoteError {
    #[error("the flag there cannot be edited: {0}")]
    Malformed(#[from] Malformed),
    #[error("neither side has a member `{0}`")]
    NoMember(String),
    #[error("`{OURS}` belongs to its environment, and is not carried over")]
    Ours,
    #[error("the flag does not exist there yet: without `--only`, all of it is carried over")]
    Partial,
}

/// The bytes that the flag gets in the other environment: those members of `from` that are named (all but liveops' own
/// without names) in the flag that is there. A named member that `from` does not have is taken away.
pub fn promote(from: &Document, to: Option<&[u8]>, only: &[String]) -> Result<Vec<u8>, PromoteError> {
    if only.iter().any(|name| name == OURS) {
        return Err(PromoteError::Ours);
    }
    let Some(to) = to else {
        if !only.is_empty() {
            return Err(PromoteError::Partial);
        }
        let mut fresh = from.clone();
        fresh.remove(OURS);
        return Ok(fresh.into_bytes());
    };
    let mut merged = Document::parse(to)?;
    if let Some(unknown) = only.iter().find(|name| from.get(name).is_none() && merged.get(name).is_none()) {
        return Err(PromoteError::NoMember(unknown.clone()));
    }
    let names: Vec<String> = if only.is_empty() {
        let all = from.members().chain(merged.members()).map(|(name, _)| name.to_owned());
        all.filter(|name| name != OURS).collect()
    } else {
        only.to_vec()
    };
    for name in names {
        match from.get(&name) {
            Some(raw) if merged.get(&name) == Some(raw) => {}
            Some(raw) => merged.set(&name, raw),
            None => merged.remove(&name),
        }
    }
    Ok(merged.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: &str = r#"{"enabled":true,"percentage":50,"big":12345678901234567890,"_liveops":{"rev":9}}"#;
    const TO: &str = r#"{ "percentage": 10, "enabled": false, "allowlist": ["a"], "_liveops": {"rev":2} }"#;

    fn done(to: Option<&str>, only: &[&str]) -> Result<String, PromoteError> {
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        promote(&Document::parse(FROM.as_bytes()).unwrap(), to.map(str::as_bytes), &only)
            .map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn parts_and_wholes() {
        assert_eq!(done(Some(TO), &["percentage"]).unwrap(), TO.replace("10,", "50,"));
        assert_eq!(done(Some(TO), &["allowlist"]).unwrap(), TO.replace(", \"allowlist\": [\"a\"]", ""));
        assert_eq!(
            done(Some(TO), &[]).unwrap(),
            r#"{ "percentage": 50, "enabled": true, "_liveops": {"rev":2}, "big": 12345678901234567890 }"#
        );
        assert_eq!(done(None, &[]).unwrap(), FROM.replace(r#","_liveops":{"rev":9}"#, ""));
        assert_eq!(done(None, &["percentage"]), Err(PromoteError::Partial));
        assert_eq!(done(Some(TO), &["pct"]), Err(PromoteError::NoMember("pct".into())));
        assert_eq!(done(Some(TO), &[OURS]), Err(PromoteError::Ours));
        assert!(matches!(done(Some("{"), &[]), Err(PromoteError::Malformed(_))));
    }
}
