//! One revision of a flag as the history keeps it: what it was, what it became, who did it and why.

use chrono::{DateTime, SecondsFormat, Utc};

/// A change of one flag. The bytes are raw: they may be no JSON at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Id of the operation, by which a writer finds its own change after a lost reply.
    pub op: String,
    pub flag: String,
    /// The revision that it made, counted from 1; 0 when the flag was removed.
    pub rev: u64,
    pub at: DateTime<Utc>,
    pub by: String,
    pub reason: Option<String>,
    /// What was typed.
    pub command: String,
    /// None: the flag did not exist.
    pub before: Option<Vec<u8>>,
    /// None: it was removed.
    pub after: Option<Vec<u8>>,
}

/// Why an entry of the history cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("the entry has no `{0}`")]
    Missing(&'static str),
    #[error("`{field}` of the entry reads `{found}`")]
    Wrong { field: &'static str, found: String },
}

impl Revision {
    /// Is it the same change of the same flag? One operation may change several flags, and one flag several times.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.op, &self.flag, self.rev) == (&other.op, &other.flag, other.rev)
    }

    /// The fields of the stream's entry. What is missing has no field, so that it differs from what is empty.
    pub fn to_fields(&self) -> Vec<(&'static str, Vec<u8>)> {
        let at = self.at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let mut fields = vec![
            ("op", self.op.clone().into_bytes()),
            ("flag", self.flag.clone().into_bytes()),
            ("rev", self.rev.to_string().into_bytes()),
            ("at", at.into_bytes()),
            ("by", self.by.clone().into_bytes()),
            ("command", self.command.clone().into_bytes()),
        ];
        let optional = [
            ("reason", self.reason.clone().map(String::into_bytes)),
            ("before", self.before.clone()),
            ("after", self.after.clone()),
        ];
        fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        fields
    }

    /// Reads an entry; fields that are not known are passed over.
    pub fn from_fields<'a>(fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Result<Self, EntryError> {
        let fields: std::collections::HashMap<&[u8], &[u8]> = fields.into_iter().collect();
        let raw = |name: &str| fields.get(name.as_bytes()).copied();
        let text = |name: &'static str| {
            raw(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).ok_or(EntryError::Missing(name))
        };
        let wrong = |field: &'static str, found: &str| EntryError::Wrong { field, found: found.to_owned() };
        let (rev, at) = (text("rev")?, text("at")?);
        Ok(Self {
            op: text("op")?,
            flag: text("flag")?,
            rev: rev.parse().map_err(|_| wrong("rev", &rev))?,
            at: DateTime::parse_from_rfc3339(&at).map_err(|_| wrong("at", &at))?.to_utc(),
            by: text("by")?,
            reason: text("reason").ok(),
            command: text("command")?,
            before: raw("before").map(<[u8]>::to_vec),
            after: raw("after").map(<[u8]>::to_vec),
        })
    }
}

/// Was the flag changed by something else than liveops since its newest revision? Without a history nothing is known.
pub fn drift(current: Option<&[u8]>, newest: Option<&Revision>) -> bool {
    newest.is_some_and(|newest| newest.after.as_deref() != current)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn revision(reason: Option<String>, before: Option<Vec<u8>>, after: Option<Vec<u8>>) -> Revision {
        Revision {
            op: "0b7c".into(),
            flag: "a flag".into(),
            rev: 3,
            at: DateTime::from_timestamp_millis(1_700_000_000_123).unwrap(),
            by: "ada".into(),
            reason,
            command: "liveops flag kill x".into(),
            before,
            after,
        }
    }

    #[test]
    fn drift_is_what_nobody_wrote_down() {
        let newest = revision(None, None, Some(b"{}".to_vec()));
        assert!(!drift(Some(b"{}"), Some(&newest)));
        assert!(drift(Some(b"{ }"), Some(&newest)));
        assert!(drift(None, Some(&newest)));
        assert!(!drift(Some(b"{}"), None));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let mut fields = revision(None, None, None).to_fields();
        fields.retain(|(name, _)| *name != "by");
        let read = |fields: &[(&str, Vec<u8>)]| {
            Revision::from_fields(fields.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())))
        };
        assert_eq!(read(&fields), Err(EntryError::Missing("by")));
        fields.push(("by", b"ada".to_vec()));
        fields[2].1 = b"x".to_vec();
        assert_eq!(read(&fields).unwrap_err().to_string(), "`rev` of the entry reads `x`");
    }

    proptest! {
        #[test]
        fn fields_round_trip(reason: Option<String>, before: Option<Vec<u8>>, after: Option<Vec<u8>>) {
            let written = revision(reason, before, after);
            let fields = written.to_fields();
            let read = Revision::from_fields(fields.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())));
            prop_assert_eq!(read, Ok(written));
        }
    }
}
