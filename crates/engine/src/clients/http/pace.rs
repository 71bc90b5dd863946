//! How fast calls begin where many are made at once. Pure but for the yield.

use std::cell::Cell;

use tokio::task::yield_now;

/// So many calls begin between two looks at the network. All at once, none is sent before the last has connected, and
/// the answers come in one burst; in small groups the first answers are read while the last calls are on their way.
const AT_ONCE: usize = 16;

/// The calls that have begun since the last look at the network.
#[derive(Debug, Default)]
pub(super) struct Pace {
    look: Cell<u64>,
    begun: Cell<usize>,
}

impl Pace {
    /// Returns when the call may begin.
    pub(super) async fn turn(&self) {
        while self.begun.get() >= AT_ONCE {
            let look = self.look.get();
            // The runtime looks at the network before it goes on here.
            yield_now().await;
            if self.look.get() == look {
                self.look.set(look + 1);
                self.begun.set(0);
            }
        }
        self.begun.set(self.begun.get() + 1);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn many_calls_begin_in_groups() {
        let (pace, groups) = (Pace::default(), RefCell::new(vec![0; 7]));
        let call = async || {
            pace.turn().await;
            groups.borrow_mut()[pace.look.get() as usize] += 1;
        };
        join_all((0..100).map(|_| call())).await;
        assert_eq!(groups.into_inner(), [16, 16, 16, 16, 16, 16, 4]);
    }
}
