//! The terminal's own modes: as they were when we began, however we end, and while we are stopped.

use std::io::{IsTerminal, stderr, stdin};

use dialoguer::console::Term;

/// The modes at the beginning. Dropping it puts them back: a question that a signal ended has left the terminal raw.
pub(crate) struct Terminal {
    #[cfg(unix)]
    modes: Option<rustix::termios::Termios>,
}

impl Terminal {
    /// Looks, and changes nothing.
    pub(crate) fn keep() -> Self {
        Self {
            #[cfg(unix)]
            modes: rustix::termios::tcgetattr(stdin()).ok(),
        }
    }

    /// A question that was cut off has hidden the cursor, and left the terminal raw.
    pub(crate) fn interrupted(&self) {
        #[cfg(unix)]
        {
            let now = rustix::termios::tcgetattr(stdin()).ok();
            let modes = |termios: &rustix::termios::Termios| termios.local_modes;
            if now.as_ref().map(modes) != self.modes.as_ref().map(modes) && stderr().is_terminal() {
                let _ = Term::stderr().show_cursor();
                // The shell's prompt has a row of its own.
                let _ = Term::stderr().write_line("");
            }
        }
    }

    fn restore(&self) {
        #[cfg(unix)]
        if let Some(modes) = &self.modes {
            let _ = rustix::termios::tcsetattr(stdin(), rustix::termios::OptionalActions::Now, modes);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.restore();
    }
}

/// Stops this process as Ctrl-Z does, and returns once it is in the foreground again.
#[cfg(unix)]
pub(crate) fn stop() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
}

#[cfg(not(unix))]
pub(crate) fn stop() {}
