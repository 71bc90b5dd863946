//! A stand-in for many services with a slow health API. Built with plain `rustc -O`, no crate needed; Linux only.
//!
//! `slow_server COUNT DELAY_MS` listens on COUNT ports of loopback, prints them in one line, and answers every request
//! after the delay. One thread and one epoll: with a thread a connection, waking them would cost the asker, who is
//! what is measured, more than the asking. `/peak` answers at once with the highest number of requests that waited at
//! the same time since the last such question. It ends when its stdin is closed.

use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

const HEALTH: &str =
    r#"{"status":"healthy","timestamp":"2026-01-15T10:30:00Z","uptime":86400,"version":"1.4.2"}"#;

/// The four calls of epoll(7) that are needed; the standard library is linked to the C library anyway.
mod epoll {
    use std::os::fd::RawFd;

    #[repr(C)]
    #[cfg_attr(target_arch = "x86_64", repr(packed))]
    #[derive(Clone, Copy)]
    pub struct Event {
        pub events: u32,
        pub data: u64,
    }

    const ADD: i32 = 1;
    pub const IN: u32 = 1;

    unsafe extern "C" {
        fn epoll_create1(flags: i32) -> i32;
        fn epoll_ctl(epoll: i32, operation: i32, fd: i32, event: *mut Event) -> i32;
        fn epoll_wait(epoll: i32, events: *mut Event, most: i32, timeout_ms: i32) -> i32;
    }

    pub fn create() -> RawFd {
        // SAFETY: takes no pointer.
        unsafe { epoll_create1(0) }
    }

    pub fn add(epoll: RawFd, fd: RawFd) {
        let mut event = Event {
            events: IN,
            data: u64::try_from(fd).expect("an open file"),
        };
        // SAFETY: the event lives through the call, which copies it.
        assert_eq!(
            unsafe { epoll_ctl(epoll, ADD, fd, &mut event) },
            0,
            "epoll_ctl"
        );
    }

    pub fn wait(epoll: RawFd, events: &mut [Event], timeout_ms: i32) -> usize {
        let most = i32::try_from(events.len()).expect("few events");
        // SAFETY: the kernel writes at most `most` events into the slice.
        let found = unsafe { epoll_wait(epoll, events.as_mut_ptr(), most, timeout_ms) };
        usize::try_from(found).unwrap_or(0)
    }
}

struct Waiting {
    due: Instant,
    stream: TcpStream,
    is_health: bool,
}

fn main() {
    let mut args = std::env::args()
        .skip(1)
        .map(|arg| arg.parse::<u64>().expect("a number"));
    let (Some(count), Some(delay)) = (args.next(), args.next()) else {
        panic!("usage: slow_server COUNT DELAY_MS");
    };
    let listener = |_| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        listener
    };
    let listeners: Vec<TcpListener> = (0..count).map(listener).collect();
    let ports = listeners
        .iter()
        .map(|known| known.local_addr().expect("it is bound").port().to_string());
    println!("{}", ports.collect::<Vec<_>>().join(" "));
    serve(listeners, Duration::from_millis(delay));
}

fn serve(listeners: Vec<TcpListener>, delay: Duration) {
    let epoll = epoll::create();
    let stdin = std::io::stdin();
    epoll::add(epoll, stdin.as_raw_fd());
    let listeners: HashMap<RawFd, TcpListener> = listeners
        .into_iter()
        .map(|known| (known.as_raw_fd(), known))
        .collect();
    listeners.keys().for_each(|fd| epoll::add(epoll, *fd));
    let mut open: HashMap<RawFd, TcpStream> = HashMap::new();
    // The delay is always the same, so the first in is the first out.
    let mut waiting: VecDeque<Waiting> = VecDeque::new();
    let mut peak = 0;
    let mut events = [epoll::Event { events: 0, data: 0 }; 256];
    loop {
        let next = waiting
            .front()
            .map(|first| first.due.saturating_duration_since(Instant::now()));
        // Whole milliseconds, rounded down: the last part of one is waited out below.
        let timeout = next.map_or(-1, |left| {
            i32::try_from(left.as_millis()).expect("a short delay")
        });
        let found = epoll::wait(epoll, &mut events, timeout);
        for event in &events[..found] {
            let fd = RawFd::try_from(event.data).expect("it was put in");
            if fd == stdin.as_raw_fd() {
                return;
            }
            if let Some(listener) = listeners.get(&fd) {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true).expect("a socket");
                    epoll::add(epoll, stream.as_raw_fd());
                    open.insert(stream.as_raw_fd(), stream);
                }
            } else if let Some(stream) = open.remove(&fd) {
                match request(&stream) {
                    Ok(path) if path == "/peak" => {
                        answer(stream, "200 OK", &std::mem::take(&mut peak).to_string())
                    }
                    Ok(path) => {
                        let due = Instant::now() + delay;
                        waiting.push_back(Waiting {
                            due,
                            stream,
                            is_health: path == "/api/health",
                        });
                        peak = peak.max(waiting.len());
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        drop(open.insert(fd, stream))
                    }
                    // A client that went away is its own business.
                    Err(_) => {}
                }
            }
        }
        while waiting
            .front()
            .is_some_and(|first| first.due <= Instant::now())
        {
            let done = waiting.pop_front().expect("there is a first");
            match done.is_health {
                true => answer(done.stream, "200 OK", HEALTH),
                false => answer(done.stream, "404 Not Found", r#"{"error":"no such path"}"#),
            }
        }
    }
}

/// The path that is asked for. A request of these clients is one small packet.
fn request(mut stream: &TcpStream) -> std::io::Result<String> {
    let mut request = [0; 4096];
    let length = stream.read(&mut request)?;
    let line = String::from_utf8_lossy(&request[..length]);
    line.split(' ')
        .nth(1)
        .map(ToOwned::to_owned)
        .ok_or(ErrorKind::UnexpectedEof.into())
}

fn answer(mut stream: TcpStream, status: &str, body: &str) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close"
    );
    let _ = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes());
}
