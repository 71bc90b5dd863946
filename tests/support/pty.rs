//! The binary on a pseudo-terminal: type, await text, resize, interrupt. Every wait has a deadline.

use std::io::ErrorKind;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use expectrl::process::unix::WaitStatus;
use expectrl::session::OsSession;
use expectrl::{ControlCode, Expect, Session};

use super::process::signal;

/// How long a text or the end may take.
const LIMIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);

/// A program on a terminal. Killed on drop.
#[derive(Debug)]
pub(crate) struct Pty {
    session: OsSession,
    /// Everything the terminal got so far, escapes included.
    transcript: String,
    /// Where the next [`Pty::expect`] begins to search.
    seen: usize,
    ended: bool,
}

impl Pty {
    /// Starts `command` on a terminal of 80 columns and 24 lines without echo.
    pub(crate) fn spawn(command: Command) -> Self {
        let session = Session::spawn(command).expect("a pseudo-terminal can be opened");
        Self { session, transcript: String::new(), seen: 0, ended: false }
    }

    /// Waits until `text` appears after the last text that was awaited.
    ///
    /// # Panics
    /// When it has not appeared within 30 s, or the program ended without it; shows the whole transcript.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> &mut Self {
        let started = Instant::now();
        loop {
            if let Some(at) = self.transcript[self.seen..].find(text) {
                self.seen += at + text.len();
                return self;
            }
            assert!(
                !self.ended && started.elapsed() < LIMIT,
                "`{text}` did not appear on the terminal; it shows\n{}",
                self.transcript
            );
            self.fill();
        }
    }

    /// Types a line and Enter.
    #[track_caller]
    pub(crate) fn send_line(&mut self, line: &str) -> &mut Self {
        self.send(&format!("{line}\n"))
    }

    /// Types text without Enter; also escape sequences such as arrow keys.
    #[track_caller]
    pub(crate) fn send(&mut self, text: &str) -> &mut Self {
        self.session.send(text).expect("the terminal takes input");
        self
    }

    /// Types Ctrl-C.
    #[track_caller]
    pub(crate) fn interrupt(&mut self) -> &mut Self {
        self.session.send(ControlCode::EndOfText).expect("the terminal takes input");
        self
    }

    /// Asks the program to end, as `kill` does (SIGTERM).
    #[track_caller]
    pub(crate) fn terminate(&mut self) -> &mut Self {
        signal(self.pid(), "TERM");
        self
    }

    /// Changes the size of the terminal, which also signals the program.
    pub(crate) fn resize(&mut self, columns: u16, lines: u16) -> &mut Self {
        self.session.get_process_mut().set_window_size(columns, lines).expect("the terminal can be resized");
        self
    }

    /// The process id, for tests that signal the program.
    pub(crate) fn pid(&self) -> u32 {
        self.session.get_process().pid().as_raw().unsigned_abs()
    }

    /// Everything the terminal got so far, escapes included.
    pub(crate) fn transcript(&mut self) -> &str {
        self.fill();
        &self.transcript
    }

    /// Waits for the program's end: its exit code (128 + signal when a signal ended it) and the whole transcript.
    ///
    /// # Panics
    /// When it has not ended within 30 s.
    #[track_caller]
    pub(crate) fn wait(mut self) -> (i32, String) {
        let started = Instant::now();
        while !self.ended {
            assert!(started.elapsed() < LIMIT, "the program does not end; the terminal shows\n{}", self.transcript);
            self.fill();
        }
        let code = loop {
            match self.session.get_process().status() {
                Ok(WaitStatus::Exited(_, code)) => break code,
                Ok(WaitStatus::Signaled(_, signal, _)) => break 128 + signal as i32,
                Ok(_) => thread::sleep(PAUSE),
                Err(error) => panic!("the program cannot be waited for: {error}"),
            }
            assert!(started.elapsed() < LIMIT, "the program closed its terminal and lives on");
        };
        (code, self.transcript)
    }

    /// Types Ctrl-C until the program ends: one that comes before a question reads is heard by the next.
    #[track_caller]
    pub(crate) fn interrupt_until_the_end(mut self) -> (i32, String) {
        let started = Instant::now();
        let mut next = started;
        while !self.ended && started.elapsed() < LIMIT {
            if Instant::now() >= next {
                // The terminal may have been closed meanwhile.
                let _ = self.session.send(ControlCode::EndOfText);
                next = Instant::now() + 20 * PAUSE;
            }
            self.fill();
        }
        self.wait()
    }

    /// Reads what is there; pauses when nothing is (expectrl's own wait spins on a core).
    fn fill(&mut self) {
        let mut buffer = [0; 4096];
        match self.session.try_read(&mut buffer) {
            Ok(0) => self.ended = true,
            Ok(length) => self.transcript.push_str(&String::from_utf8_lossy(&buffer[..length])),
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
            // Linux answers EIO when the last process has closed the other end.
            Err(_) => self.ended = true,
        }
    }
}
