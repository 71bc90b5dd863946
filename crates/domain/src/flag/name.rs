//! The name of a flag: the field of the hash that holds it.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// The longest name, in bytes: longer ones are a paste gone wrong, and fit no screen.
const LONGEST: usize = 200;

/// A flag's name, as services ask for it: any text without control characters, 1 to 200 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct FlagName(String);

/// Why a text is no name of a flag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a flag's name cannot be empty")]
    Empty,
    #[error("a flag's name has at most {LONGEST} bytes, and this one has {0}")]
    Long(usize),
    #[error("a flag's name cannot hold the control character {0:?}")]
    Control(char),
    #[error("a flag's name cannot begin or end with a space; quote the name without it")]
    Space,
}

impl FlagName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FlagName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > LONGEST {
            return Err(NameError::Long(text.len()));
        }
        if let Some(control) = text.chars().find(|c| c.is_control()) {
            return Err(NameError::Control(control));
        }
        if text.trim() != text {
            return Err(NameError::Space);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for FlagName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_services_use_and_says_what_is_wrong() {
        for good in ["new_matchmaking", "shop.v2/beta", "日本", "with space"] {
            assert_eq!(good.parse::<FlagName>().unwrap().as_str(), good);
        }
        assert_eq!("".parse::<FlagName>(), Err(NameError::Empty));
        assert_eq!("a\nb".parse::<FlagName>(), Err(NameError::Control('\n')));
        assert_eq!(" a".parse::<FlagName>(), Err(NameError::Space));
        assert_eq!("x".repeat(201).parse::<FlagName>(), Err(NameError::Long(201)));
    }
}
