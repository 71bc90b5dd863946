//! A loopback TCP server that hands each connection to a closure on its own thread, and ends them all on drop.
//! The ground under the stub server and under every fault of the transport.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// One accepted connection.
pub(crate) struct Wire {
    /// What the client sends.
    pub(crate) reader: BufReader<TcpStream>,
    writer: TcpStream,
    stop: Arc<Stop>,
}

impl Wire {
    /// Sends bytes at once.
    ///
    /// # Errors
    /// When the client has hung up or the server is being stopped.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes)?;
        self.writer.flush()
    }

    /// Ends what is sent, so that the client sees the end of the answer; it may still send.
    ///
    /// # Errors
    /// When the client has hung up before.
    pub(crate) fn hang_up(&self) -> io::Result<()> {
        self.writer.shutdown(Shutdown::Write)
    }

    /// Waits `time`, or less when the server is stopped.
    ///
    /// # Errors
    /// `Interrupted` when the server is stopped, so that `?` ends the connection.
    pub(crate) fn pause(&self, time: Duration) -> io::Result<()> {
        let state = self.stop.lock();
        let (state, _) = self
            .stop
            .changed
            .wait_timeout_while(state, time, |state| !state.stopped)
            .unwrap_or_else(PoisonError::into_inner);
        if state.stopped { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }

    /// Holds the connection open, silent, until the server is stopped.
    ///
    /// # Errors
    /// Always `Interrupted`, as [`Wire::pause`].
    pub(crate) fn hold(&self) -> io::Result<()> {
        loop {
            self.pause(Duration::from_secs(3600))?;
        }
    }
}

#[derive(Default)]
struct Stop {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stopped: bool,
    /// Connections that are open, to be shut when the server stops.
    open: HashMap<u64, TcpStream>,
}

impl Stop {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server; stops, with every connection, on drop.
pub(crate) struct WireServer {
    port: u16,
    stop: Arc<Stop>,
    accept: Option<JoinHandle<()>>,
}

impl WireServer {
    /// Serves on a free port of loopback. An error of `serve` ends that connection alone.
    pub(crate) fn start(serve: impl Fn(&mut Wire) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self::start_at(0, serve)
    }

    /// Serves on this port of loopback, such as one that served before; 0 for a free one.
    pub(crate) fn start_at(port: u16, serve: impl Fn(&mut Wire) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("loopback has a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let stop = Arc::new(Stop::default());
        let accept = {
            let stop = Arc::clone(&stop);
            let serve = Arc::new(serve);
            thread::spawn(move || accept(&listener, &stop, &serve))
        };
        Self { port, stop, accept: Some(accept) }
    }

    /// The port of loopback.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

fn accept<F>(listener: &TcpListener, stop: &Arc<Stop>, serve: &Arc<F>)
where
    F: Fn(&mut Wire) -> io::Result<()> + Send + Sync + 'static,
{
    let mut threads = Vec::new();
    for (id, stream) in (0..).zip(listener.incoming()) {
        let Ok(stream) = stream else { continue };
        // Small answers must not wait for the client's delayed acknowledgement.
        drop(stream.set_nodelay(true));
        let (Ok(reader), Ok(handle)) = (stream.try_clone(), stream.try_clone()) else {
            continue;
        };
        {
            let mut state = stop.lock();
            if state.stopped {
                break;
            }
            state.open.insert(id, handle);
        }
        let (stop, serve) = (Arc::clone(stop), Arc::clone(serve));
        threads.push(thread::spawn(move || {
            let mut wire = Wire { reader: BufReader::new(reader), writer: stream, stop };
            // A client that hangs up is the normal end of a connection.
            drop(serve(&mut wire));
            drop(wire.writer.shutdown(Shutdown::Both));
            wire.stop.lock().open.remove(&id);
        }));
        threads.retain(|thread| !thread.is_finished());
    }
    for thread in threads {
        // A panic in a handler has been printed by its thread; the client saw a closed connection.
        drop(thread.join());
    }
}

impl Drop for WireServer {
    fn drop(&mut self) {
        {
            let mut state = self.stop.lock();
            state.stopped = true;
            for stream in state.open.values() {
                drop(stream.shutdown(Shutdown::Both));
            }
        }
        self.stop.changed.notify_all();
        // Wakes the accepting thread, which then sees that it is stopped.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(accept) = self.accept.take() {
            drop(accept.join());
        }
    }
}

impl fmt::Debug for WireServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WireServer").field("port", &self.port).finish_non_exhaustive()
    }
}
