//! Looking again and again, for every `--watch`: a screen that is redrawn in place; with `-o json` one object a line.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::context::Context;
use crate::output::block::Block;
use crate::output::format::Format;
use crate::output::framed;
use crate::output::report::{Meta, Report};
use crate::output::screen::Screen;
use liveops_domain::error::{Exit, Result};

/// What one look found.
pub(crate) struct Look<R> {
    /// Lines above the report, on a screen.
    pub(crate) head: Vec<Block>,
    pub(crate) report: R,
    pub(crate) meta: Meta,
    /// The exit code, if this was the last look.
    pub(crate) exit: Exit,
    pub(crate) is_last: bool,
}

/// Looks until it is interrupted, until nobody reads any more, or until the last look.
pub(crate) async fn watch<R: Report>(
    cx: &Context,
    interval: Duration,
    look: impl AsyncFnMut() -> Result<Look<R>>,
) -> Result<Exit> {
    watch_and(cx, interval, look, async || Ok(())).await
}

/// The same, with what is to be done once a look is shown.
pub(crate) async fn watch_and<R: Report>(
    cx: &Context,
    interval: Duration,
    mut look: impl AsyncFnMut() -> Result<Look<R>>,
    mut after: impl AsyncFnMut() -> Result<()>,
) -> Result<Exit> {
    let screen = (cx.output.format() == Format::Table).then(|| Screen::enter(&cx.output)).transpose()?;
    let mut resized = Signals::of(SIGWINCH);
    // Only where there is a screen to give back; a pipe is stopped as any program.
    let mut stopped = if screen.is_some() { Signals::of(SIGTSTP) } else { Signals::none() };
    loop {
        let began = Instant::now();
        cx.http()?.restart();
        let Look { head, report, meta, exit, is_last } = look().await?;
        let show = || match &screen {
            Some(screen) => {
                let view = cx.output.view(cx.clock.now());
                screen.draw(&[head.clone(), framed(&report, &meta, &view)].concat(), &view)
            }
            None => cx.show_line(&report, meta.clone()),
        };
        show()?;
        if is_last || cx.output.is_closed() {
            return Ok(exit);
        }
        after().await?;
        loop {
            tokio::select! {
                () = sleep_until(began + interval) => break,
                // The same look in the new size, at once.
                () = resized.next(), if screen.is_some() => show()?,
                () = stopped.next(), if screen.is_some() => {
                    screen.iter().try_for_each(Screen::stop)?;
                    show()?;
                }
            }
        }
    }
}

/// The terminal has another size.
const SIGWINCH: i32 = 28;

/// Ctrl-Z; the same number on Linux, other BSDs and macOS have 18.
const SIGTSTP: i32 = if cfg!(target_os = "linux") { 20 } else { 18 };

/// Signals of one kind; elsewhere none.
struct Signals {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    fn of(number: i32) -> Self {
        #[cfg(not(unix))]
        let _ = number;
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(number)).ok(),
        }
    }

    fn none() -> Self {
        Self {
            #[cfg(unix)]
            signal: None,
        }
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal {
            signal.recv().await;
            return;
        }
        std::future::pending::<()>().await;
    }
}
