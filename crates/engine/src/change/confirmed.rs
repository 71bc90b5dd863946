//! The proof that a change was confirmed.

/// Permission to change the world, which only the room `change` can give. It knows the id that the change has in the
/// audit log, so that what it leaves behind elsewhere can be found by it.
#[derive(Debug)]
#[must_use]
pub struct Confirmed {
    id: String,
}

impl Confirmed {
    pub(super) fn new(id: String) -> Self {
        Self { id }
    }

    /// The change's id in the audit log.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// For the tests of what may only be done when it is confirmed.
    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        Self::new("c0".into())
    }
}
