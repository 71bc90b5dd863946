//! The proof that a change was confirmed.

/// Permission to change the world. Only this module makes one. It knows the id that the change has in the audit log,
/// so that what it leaves behind elsewhere can be found by it.
#[derive(Debug)]
#[must_use]
pub struct Confirmed {
    pub id: String,
}

#[cfg(test)]
impl Confirmed {
    /// For the tests of what may only be done when it is confirmed.
    pub fn for_test() -> Self {
        Self { id: "c0".into() }
    }
}

impl Confirmed {
    /// The change's id in the audit log.
    pub fn id(&self) -> &str {
        &self.id
    }
}
