//! Interrupts: a change that has begun comes to its end first.

use std::cell::{Cell, RefCell};

use tokio::sync::Notify;

/// Lets a change that has begun come to its end before an interrupt takes effect.
#[derive(Debug, Default)]
pub struct Interrupts {
    held: Cell<usize>,
    /// The signal after which no other change begins.
    ending: Cell<Option<u8>>,
    released: Notify,
    /// What to say at a second interrupt, while somebody takes the first one to himself.
    claimed: RefCell<Option<String>>,
    code: Cell<Option<u8>>,
    arrived: Notify,
    /// Whoever was handed the last one goes on.
    settled: Cell<bool>,
}

impl Interrupts {
    /// A change begins.
    pub fn hold(&self) {
        self.held.set(self.held.get() + 1);
    }

    /// The change under way is the last one.
    pub fn end(&self, code: u8) {
        self.ending.set(Some(code));
    }

    /// The signal that came while a change was under way; a part of that change is none that begins.
    pub fn ending(&self) -> Option<u8> {
        self.ending.get().filter(|_| !self.is_held())
    }

    /// It is over.
    pub fn release(&self) {
        self.held.set(self.held.get().saturating_sub(1));
        self.released.notify_waiters();
    }

    /// The change under way decides itself what an interrupt means; at the second one, these are its last words.
    pub fn claim(&self, last_words: String) {
        self.claimed.replace(Some(last_words));
    }

    /// It no longer does.
    pub fn unclaim(&self) {
        self.claimed.take();
        self.settled.set(true);
    }

    /// Has the last one that was handed over come to its end, so that the next is a first one again?
    pub fn is_settled(&self) -> bool {
        self.settled.get()
    }

    /// Hands an interrupt to whoever has claimed it. False when nobody has.
    pub fn deliver(&self, code: u8) -> bool {
        let claimed = self.claimed.borrow().is_some();
        if claimed {
            self.settled.set(false);
            self.code.set(Some(code));
            self.arrived.notify_waiters();
        }
        claimed
    }

    /// What to say when it is to end at once.
    pub fn last_words(&self) -> Option<String> {
        self.claimed.borrow().clone()
    }

    /// Waits for an interrupt that was claimed; 130 for Ctrl-C, 128 + signal otherwise.
    pub async fn delivered(&self) -> u8 {
        loop {
            if let Some(code) = self.code.take() {
                return code;
            }
            self.arrived.notified().await;
        }
    }

    /// Is a change under way?
    pub fn is_held(&self) -> bool {
        self.held.get() > 0
    }

    /// Waits until none is.
    pub async fn free(&self) {
        while self.is_held() {
            self.released.notified().await;
        }
    }
}
