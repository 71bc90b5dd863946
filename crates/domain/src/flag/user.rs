//! Whom a flag is asked about.

use serde_json::{Map, Value};

/// A user: the id that services pass, and the attributes that rules ask for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct User {
    pub id: String,
    pub attributes: Map<String, Value>,
}

impl User {
    /// A user of whom only the id is known.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), attributes: Map::new() }
    }
}
