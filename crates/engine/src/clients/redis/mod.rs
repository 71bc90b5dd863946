//! Redis: one connection to the server that holds the key, with a deadline on every call, and errors that a person
//! understands. Everything that liveops keeps lies in one slot, so a Cluster is a matter of following `MOVED`, and
//! Sentinels of asking them for the primary.

pub mod failure;
pub mod pauses;
pub mod session;
mod wire;

use std::cell::{OnceCell, RefCell};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_ok;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Cmd, ErrorKind, RedisConnectionInfo, RedisError, Value};
use rustls::ClientConfig;
use tokio::time::{Instant, timeout_at};

use crate::clients::redis::wire::{Wire, tls_config};
use liveops_domain::error::{Barrier, Error, Result};
use liveops_domain::text::redis_url::{Node, RedisUrl, Topology};

pub use crate::clients::redis::failure::{Failure, Said};
pub use crate::clients::redis::pauses::Pauses;
pub use crate::clients::redis::session::{Notices, Session};

/// What it is called in errors.
pub const SYSTEM: &str = "redis";

/// Redirections of one request that are followed.
const MAX_REDIRECTS: usize = 5;

/// The servers of one URL. Nothing is dialled before the first request.
#[derive(Debug)]
pub struct Redis {
    url: RedisUrl,
    ca: Option<PathBuf>,
    /// Bound on one request.
    call: Duration,
    /// Bound on all tries of one request.
    command: Duration,
    /// The ACL rule that allows everything that is asked: for hints.
    needs: String,
    tls: OnceCell<Arc<ClientConfig>>,
    connection: RefCell<Option<Connection>>,
}

#[derive(Debug, Clone)]
struct Connection {
    wire: MultiplexedConnection,
    node: Node,
}

impl Redis {
    /// The servers of this URL, which holds the credentials.
    pub fn new(url: RedisUrl, ca: Option<PathBuf>, (call, command): (Duration, Duration), needs: String) -> Self {
        Self { url, ca, call, command, needs, tls: OnceCell::new(), connection: RefCell::new(None) }
    }

    /// Its URL, without credentials.
    pub fn shown(&self) -> String {
        self.url.to_string()
    }

    /// Is the connection encrypted?
    pub fn has_tls(&self) -> bool {
        self.url.tls
    }

    /// May another server answer when this one is gone?
    pub fn has_several(&self) -> bool {
        !matches!(self.url.topology, Topology::Single(_))
    }

    /// When all tries of a request that begins now must be over: where another server may take the place of one that
    /// is gone, that is worth waiting for.
    pub fn patience(&self) -> Instant {
        let limit = if self.has_several() { self.command } else { self.call };
        Instant::now() + limit
    }

    /// Asks what may be asked twice, again while that can help.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn read(&self, command: &Cmd) -> Result<Value, Failure> {
        let mut pauses = Pauses::until(self.patience());
        loop {
            match self.ask(command).await {
                Err(failure) if self.may_pass(&failure) && pauses.next().await => self.forget(),
                done => return done,
            }
        }
    }

    /// Is it worth another try?
    pub fn may_pass(&self, failure: &Failure) -> bool {
        match failure {
            Failure::Said(said) => {
                said.code == "TRYAGAIN"
                    || (self.has_several()
                        && ["CLUSTERDOWN", "MASTERDOWN", "LOADING", "READONLY"].contains(&said.code.as_str()))
            }
            Failure::NotSent(error) | Failure::NoReply(error) => match error {
                Error::Unreachable { barrier, .. } => self.has_several() || *barrier == Barrier::Broke,
                Error::Timeout { .. } => self.has_several(),
                _ => false,
            },
        }
    }

    /// Sends one request to the server that has the key, and waits for its reply.
    ///
    /// # Errors
    /// Whether it was sent, and what was said.
    pub async fn ask(&self, command: &Cmd) -> Result<Value, Failure> {
        let until = Instant::now() + self.call;
        let mut connection = self.connection(until).await.map_err(Failure::NotSent)?;
        let mut asking = false;
        for _ in 0..MAX_REDIRECTS {
            let began = Instant::now();
            let node = connection.node.clone();
            let answer = async {
                if asking {
                    let mut pipe = redis::pipe();
                    pipe.cmd("ASKING").ignore().add_command(command.clone());
                    let (value,) = pipe.query_async(&mut connection.wire).await?;
                    return Ok(value);
                }
                command.query_async::<Value>(&mut connection.wire).await
            };
            let answer = timeout_at(until, answer).await;
            tracing::info!(
                server = %node,
                command = %name(command),
                ms = began.elapsed().as_millis(),
                ok = matches!(answer, Ok(Ok(_)))
            );
            let error = match answer {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => error,
                Err(_) => {
                    self.forget();
                    return Err(Failure::NoReply(self.late(&node)));
                }
            };
            let target = error.redirect_node().and_then(|(address, _)| Node::parse(address, node.port).ok());
            let Some(target) = target else {
                let failure = Failure::of(&error, &self.address(&node));
                if !matches!(failure, Failure::Said(_)) {
                    self.forget();
                }
                return Err(failure);
            };
            connection = self.dial(&target, until).await.map_err(Failure::NotSent)?;
            asking = error.code() == Some("ASK");
            if !asking {
                self.connection.replace(Some(connection.clone()));
            }
        }
        Err(Failure::NotSent(Error::Malformed {
            system: SYSTEM.into(),
            url: self.shown(),
            what: "redirections in a circle".into(),
        }))
    }

    /// Lets the connection go: the next request makes another, with all that finding the server takes.
    pub fn forget(&self) {
        self.connection.replace(None);
    }

    /// The connection that is there, or a new one.
    async fn connection(&self, until: Instant) -> Result<Connection> {
        if let Some(connection) = self.connection.borrow().as_ref() {
            return Ok(connection.clone());
        }
        let connection = match &self.url.topology {
            Topology::Single(node) => self.dial(node, until).await?,
            Topology::Cluster(seeds) => self.first(seeds, until).await?,
            Topology::Sentinel { sentinels, name } => self.primary(sentinels, name, until).await?,
        };
        self.connection.replace(Some(connection.clone()));
        Ok(connection)
    }

    /// The first seed to answer: all are dialled at once, so that a dead one costs nothing.
    async fn first(&self, seeds: &[Node], until: Instant) -> Result<Connection> {
        let dialled = seeds.iter().map(|seed| Box::pin(self.dial(seed, until)));
        select_ok(dialled).await.map(|(connection, _)| connection)
    }

    /// The primary that the first Sentinel to answer knows, once it says itself that it is one.
    async fn primary(&self, sentinels: &[Node], name: &str, until: Instant) -> Result<Connection> {
        let asked = sentinels.iter().map(|sentinel| Box::pin(self.primary_by(sentinel, name, until)));
        let (node, _) = select_ok(asked).await?;
        let mut connection = self.dial(&node, until).await?;
        let role = redis::cmd("ROLE");
        let role = role.query_async::<Vec<Value>>(&mut connection.wire);
        match timeout_at(until, role).await {
            Err(_) => Err(self.late(&node)),
            Ok(Ok(role)) if !is_primary(&role) => Err(Error::Unreachable {
                system: SYSTEM.into(),
                url: self.address(&node),
                // It was: the Sentinels are about to choose another.
                barrier: Barrier::Broke,
                reason: format!("Sentinel calls it the primary of `{name}`, and it says that it is a replica"),
            }),
            Ok(Err(error)) if !Failure::of(&error, "").is("NOPERM") => {
                Err(self.explain(Failure::of(&error, &self.address(&node))))
            }
            Ok(_) => Ok(connection),
        }
    }

    async fn primary_by(&self, sentinel: &Node, name: &str, until: Instant) -> Result<Node> {
        let mut ask = redis::cmd("SENTINEL");
        ask.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
        // Sentinels are mostly open where their servers are not.
        let mut login = false;
        loop {
            let mut connection = self.dial_as(sentinel, login, until).await?;
            let said = timeout_at(until, ask.query_async::<Option<(String, u16)>>(&mut connection.wire)).await;
            return match said {
                Ok(Ok(Some((host, port)))) => Ok(Node { host, port }),
                Ok(Ok(None)) => Err(Error::NotFound {
                    what: "primary of Sentinel",
                    name: name.to_owned(),
                    candidates: self.primaries(&mut connection, until).await,
                }),
                Ok(Err(error)) if error.code() == Some("NOAUTH") && !login => {
                    login = true;
                    continue;
                }
                Ok(Err(error)) => Err(self.explain(Failure::of(&error, &self.address(sentinel)))),
                Err(_) => Err(self.late(sentinel)),
            };
        }
    }

    /// The names that this Sentinel knows.
    async fn primaries(&self, connection: &mut Connection, until: Instant) -> Vec<String> {
        let mut ask = redis::cmd("SENTINEL");
        ask.arg("MASTERS");
        let asked = ask.query_async::<Vec<std::collections::HashMap<String, String>>>(&mut connection.wire);
        let masters = timeout_at(until, asked).await.ok().and_then(Result::ok);
        let names = masters.unwrap_or_default().into_iter();
        names.filter_map(|mut master| master.remove("name")).collect()
    }

    async fn dial(&self, node: &Node, until: Instant) -> Result<Connection> {
        self.dial_as(node, true, until).await
    }

    /// Connects and logs in. Without credentials and with database 0 that takes no request at all.
    async fn dial_as(&self, node: &Node, login: bool, until: Instant) -> Result<Connection> {
        let wire = self.wire(node, until).await?;
        let login = self.login(login);
        let setup = MultiplexedConnection::new_with_config(
            &login,
            wire,
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None),
        );
        let (wire, driver) = match timeout_at(until, setup).await {
            Ok(Ok(ready)) => ready,
            Ok(Err(error)) => return Err(self.reject(&error, node)),
            Err(_) => return Err(self.late(node)),
        };
        tokio::spawn(driver);
        Ok(Connection { wire, node: node.clone() })
    }

    async fn wire(&self, node: &Node, until: Instant) -> Result<Wire> {
        let tls = match self.url.tls {
            true => Some(self.tls()?),
            false => None,
        };
        match timeout_at(until, Wire::connect(node, tls)).await {
            Ok(wire) => wire.map_err(|error| failure::unreachable(&self.address(node), node, &error)),
            Err(_) => Err(self.late(node)),
        }
    }

    /// A refused login is no I/O error, and says so.
    fn reject(&self, error: &RedisError, node: &Node) -> Error {
        let address = self.address(node);
        if error.kind() == ErrorKind::AuthenticationFailed {
            let said = Said::new("WRONGPASS", error.detail().unwrap_or_default(), &address);
            return said.error(&self.needs);
        }
        Failure::of(error, &address).error(&self.needs)
    }

    fn login(&self, with_credentials: bool) -> RedisConnectionInfo {
        let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
        if !with_credentials {
            return info;
        }
        if let Some(user) = &self.url.user {
            info = info.set_username(user);
        }
        if let Some(password) = &self.url.password {
            info = info.set_password(password);
        }
        info.set_db(self.url.db.into())
    }

    fn tls(&self) -> Result<&Arc<ClientConfig>> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls);
        }
        let config = tls_config(self.ca.as_deref()).map_err(|source| Error::Io {
            action: "use the certificate authority of",
            path: self.ca.clone().unwrap_or_default(),
            source,
        })?;
        Ok(self.tls.get_or_init(|| config))
    }

    fn late(&self, node: &Node) -> Error {
        Error::Timeout { system: SYSTEM.into(), url: self.address(node), after: self.call }
    }

    /// A node as a URL, to paste after `redis-cli -u`.
    fn address(&self, node: &Node) -> String {
        RedisUrl { topology: Topology::Single(node.clone()), ..self.url.clone() }.to_string()
    }

    /// The error of a failure.
    pub fn explain(&self, failure: Failure) -> Error {
        failure.error(&self.needs)
    }

    /// A connection of one's own, to the server that answered last: for what holds a state, such as `WATCH`.
    ///
    /// # Errors
    /// As for the first request.
    pub async fn session(&self) -> Result<Session, Failure> {
        let until = Instant::now() + self.call;
        let known = self.connection(until).await.map_err(Failure::NotSent)?;
        let connection = self.dial(&known.node, until).await;
        let connection = connection.map_err(Failure::NotSent)?;
        let address = self.address(&connection.node);
        Ok(Session::new(connection.wire, address, self.call))
    }

    /// Listens to a channel.
    ///
    /// # Errors
    /// As for a request.
    pub async fn subscribe(&self, channel: &str) -> Result<Notices> {
        let until = Instant::now() + self.call;
        let node = self.connection(until).await?.node;
        let wire = self.wire(&node, until).await?;
        let login = self.login(true);
        let subscribed = async {
            let mut channels = PubSub::new(&login, wire).await?;
            channels.subscribe(channel).await?;
            Ok(Notices::of(channels))
        };
        match timeout_at(until, subscribed).await {
            Ok(done) => done.map_err(|error: RedisError| self.reject(&error, &node)),
            Err(_) => Err(self.late(&node)),
        }
    }
}

fn is_primary(role: &[Value]) -> bool {
    matches!(role.first(), Some(Value::BulkString(role)) if role == b"master")
}

/// The command's word, for the log.
fn name(command: &Cmd) -> String {
    match command.args_iter().next() {
        Some(redis::Arg::Simple(word)) => String::from_utf8_lossy(word).into_owned(),
        _ => String::new(),
    }
}

/// An answer that is not what Redis documents for the command.
pub fn unexpected(url: &str, value: &Value) -> Error {
    let kind = match value {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) | Value::Okay => "text",
        Value::Array(_) => "a list",
        _ => "another type",
    };
    Error::Malformed {
        system: SYSTEM.into(),
        url: url.to_owned(),
        what: format!("{kind} where Redis has something else; is it really Redis?"),
    }
}

/// Only the I/O error in it, when it is one.
fn io_error(error: &RedisError) -> Option<&io::Error> {
    std::error::Error::source(error)?.downcast_ref()
}
