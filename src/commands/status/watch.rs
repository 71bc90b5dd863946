//! `--watch`: the same screen again and again, redrawn in place; with `-o json` one object a line.

use crate::commands::status::{StatusArgs, exit};
use crate::context::Context;
use crate::output::format::Format;
use crate::output::report::Report;
use crate::output::screen::Screen;
use liveops_domain::error::{Exit, Result};
use liveops_engine::observe::last_good::Memory;
use liveops_engine::status::gather;
use liveops_engine::status::report::StatusReport;

/// Looks until it is interrupted, or until nobody reads any more. The exit code is then that of the last look.
pub(crate) async fn run(args: &StatusArgs, cx: &Context) -> Result<Exit> {
    let mut memory = Memory::default();
    let screen = if cx.output.format() == Format::Table { Some(Screen::enter(&cx.output)?) } else { None };
    let mut resized = resizes();
    loop {
        let began = tokio::time::Instant::now();
        let mut report = StatusReport::new(gather(&args.service, cx, &mut memory).await?, cx)?;
        report.watching = Some(args.interval);
        loop {
            let now = cx.clock.now();
            match &screen {
                Some(screen) => {
                    let view = cx.output.view(now);
                    screen.draw(&report.blocks(&view), &view)?;
                }
                None => cx.output.show_line(&report, now)?,
            }
            if cx.output.is_closed() {
                return Ok(exit(&report, args.fail_on));
            }
            tokio::select! {
                () = tokio::time::sleep_until(began + args.interval) => break,
                // The same look in the new size, at once.
                () = resized.next(), if screen.is_some() => {}
            }
        }
    }
}

/// The terminal's changes of size (SIGWINCH); elsewhere none.
struct Resizes {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

fn resizes() -> Resizes {
    Resizes {
        #[cfg(unix)]
        signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::window_change()).ok(),
    }
}

impl Resizes {
    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal {
            signal.recv().await;
            return;
        }
        std::future::pending::<()>().await;
    }
}
