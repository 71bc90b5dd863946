//! The two readers: the one that the services have, and the one of `contrib/readers` that they can move to.

use serde::{Deserialize, Serialize};

/// Which reader decides; the word of the configuration's `flags.reader`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub enum Reader {
    /// The services' class: the percentage is a gate before everything else, and all flags hit the same users first.
    #[default]
    #[serde(rename = "legacy-v1")]
    LegacyV1,
    /// `contrib/readers/feature-flags.mjs`: lists and rules before a percentage that is salted for each flag.
    #[serde(rename = "v2")]
    V2,
}

impl Reader {
    pub const ALL: [Self; 2] = [Self::LegacyV1, Self::V2];

    /// The word of the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::LegacyV1 => "legacy-v1",
            Self::V2 => "v2",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reader| reader.word() == word)
    }
}
