//! A spinner on stderr for work that takes more than a moment: what we still wait for.

use std::time::Duration;

use crate::output::prompt::shown;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that answers sooner shows nothing.
const PATIENCE: Duration = Duration::from_millis(400);

/// Runs `work`; if it takes long and a person is looking, says what it waits for.
pub(crate) async fn waiting<T>(visible: bool, what: impl FnOnce() -> String, work: impl Future<Output = T>) -> T {
    if !visible {
        return work.await;
    }
    let mut work = std::pin::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = tokio::time::sleep(PATIENCE) => {}
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed:.dim}") {
        bar.set_style(style);
    }
    bar.set_message(shown(&what()));
    let mut tick = tokio::time::interval(Duration::from_millis(120));
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            _ = tick.tick() => bar.tick(),
        }
    };
    bar.finish_and_clear();
    done
}
