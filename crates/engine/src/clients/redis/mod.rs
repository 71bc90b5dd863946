//! Redis: one connection to the server that holds the key, with a deadline on every call, and errors that a person
//! understands. Everything that liveops keeps lies in one slot, so a Cluster is a matter of following `MOVED`, and
//! Sentinels of asking them for the primary.

pub mod failure;
pub mod pauses;
pub mod session;
pub mod wire;

use std::cell::{OnceCell, RefCell};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use futures_util::future::select_ok;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Cmd, ErrorKind, RedisConnectionInfo, RedisError, Value};
use rustls::ClientConfig;
use tokio::time::{Instant, timeout_at};

use crate::clients::redis::wire::{Wire, certificates, private_key, roots, tls_config};
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
    security: Security,
    /// Bound on one request.
    call: Duration,
    /// Bound on all tries of one request.
    command: Duration,
    /// The ACL rule that allows everything that is asked: for hints.
    needs: String,
    tls: OnceCell<Arc<ClientConfig>>,
    connection: RefCell<Option<Connection>>,
}

/// Who is trusted, and by what liveops is known, beside the login of the URL.
#[derive(Clone, Default)]
pub struct Security {
    /// Who vouches for servers, in the place of the system's authorities.
    pub ca: Option<PathBuf>,
    /// The client's certificate, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The login at the Sentinels, where it is not that of the servers.
    pub sentinel_user: Option<String>,
    pub sentinel_password: Option<String>,
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Security({:?}, {:?})", self.ca, self.identity)
    }
}

/// As whom a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Login {
    Nobody,
    /// The login of the URL, in its database.
    Server,
    Sentinel,
}

#[derive(Debug, Clone)]
struct Connection {
    wire: MultiplexedConnection,
    node: Node,
}

impl Redis {
    /// The servers of this URL, which holds the credentials.
    pub fn new(url: RedisUrl, security: Security, (call, command): (Duration, Duration), needs: String) -> Self {
        Self { url, security, call, command, needs, tls: OnceCell::new(), connection: RefCell::new(None) }
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
        // A look does not wait for a server that nobody reaches: what else is asked would wait with it.
        let reached_by = Instant::now() + self.call;
        let in_vain = |failure: &Failure| !matches!(failure, Failure::Said(_)) && Instant::now() >= reached_by;
        loop {
            match self.ask(command).await {
                Err(failure) if self.may_pass(&failure) && !in_vain(&failure) && pauses.next().await => self.forget(),
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
            let target = error.redirect_node().and_then(|(address, _)| node.redirected(address).ok());
            if let Some(target) = target.as_ref().filter(|target| !self.may_follow(target)) {
                return Err(Failure::Said(Said::new("MOVED", &target.to_string(), &self.address(&node))));
            }
            let Some(target) = target else {
                let failure = self.failed(&error, &node);
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

    /// May the login be sent there? Only to the servers of the URL, and to those whom the nodes of a Cluster name.
    fn may_follow(&self, target: &Node) -> bool {
        match &self.url.topology {
            Topology::Cluster(_) => true,
            Topology::Single(node) => node == target || (self.url.user.is_none() && self.url.password.is_none()),
            Topology::Sentinel { .. } => false,
        }
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
        // Sentinels are mostly open where their servers are not, or have the same login.
        let own = self.security.sentinel_password.is_some();
        let mut login = if own { Login::Sentinel } else { Login::Nobody };
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
                Ok(Err(error))
                    if error.code() == Some("NOAUTH") && login == Login::Nobody && self.url.password.is_some() =>
                {
                    login = Login::Sentinel;
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
        self.dial_as(node, Login::Server, until).await
    }

    /// Connects and logs in. Without credentials and with database 0 that takes no request at all.
    async fn dial_as(&self, node: &Node, login: Login, until: Instant) -> Result<Connection> {
        let wire = self.wire(node, until).await?;
        let info = self.login(login);
        let setup = MultiplexedConnection::new_with_config(
            &info,
            wire,
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None),
        );
        let (wire, driver) = match timeout_at(until, setup).await {
            Ok(Ok(ready)) => ready,
            Ok(Err(error)) => return Err(self.reject(&error, node, login)),
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

    /// Why there is no answer. In TLS 1.3 a server that misses a certificate of ours says so after the handshake, by
    /// hanging up.
    fn failed(&self, error: &RedisError, node: &Node) -> Failure {
        match Failure::of(error, &self.address(node)) {
            Failure::NoReply(Error::Unreachable { system, url, barrier: Barrier::Broke, reason })
                if self.url.tls && self.security.identity.is_none() =>
            {
                let reason = format!(
                    "{reason}; does it ask for a client certificate? then set `cert: FILE` and `key_file: FILE` beside `flags.url`"
                );
                Failure::NoReply(Error::Unreachable { system, url, barrier: Barrier::Broke, reason })
            }
            failure => failure,
        }
    }

    /// A refused login is no I/O error, and says so.
    fn reject(&self, error: &RedisError, node: &Node, login: Login) -> Error {
        let address = self.address(node);
        if error.kind() == ErrorKind::AuthenticationFailed {
            let code = if login == Login::Sentinel { "SENTINELPASS" } else { "WRONGPASS" };
            let said = Said::new(code, error.detail().unwrap_or_default(), &address);
            return said.error(&self.needs);
        }
        self.failed(error, node).error(&self.needs)
    }

    fn login(&self, login: Login) -> RedisConnectionInfo {
        let of_url = (&self.url.user, &self.url.password);
        let (user, password) = match login {
            Login::Nobody => (&None, &None),
            Login::Server => of_url,
            Login::Sentinel if self.security.sentinel_password.is_some() => {
                (&self.security.sentinel_user, &self.security.sentinel_password)
            }
            Login::Sentinel => of_url,
        };
        let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
        if let Some(user) = user {
            info = info.set_username(user);
        }
        if let Some(password) = password {
            info = info.set_password(password);
        }
        if login == Login::Server { info.set_db(self.url.db.into()) } else { info }
    }

    fn tls(&self) -> Result<&Arc<ClientConfig>> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls);
        }
        let failed = |action, path: Option<&PathBuf>, source| {
            let path = path.cloned().unwrap_or_default();
            Error::Io { action, path, source }
        };
        let roots = roots(self.security.ca.as_deref())
            .map_err(|source| failed("use the certificate authority of", self.security.ca.as_ref(), source))?;
        let identity = self.security.identity.as_ref();
        let identity = identity.map(|(cert, key)| {
            let cert = certificates(cert).map_err(|source| failed("use the certificate of", Some(cert), source))?;
            Ok::<_, Error>((cert, private_key(key).map_err(|source| failed("use the key of", Some(key), source))?))
        });
        let config = tls_config(roots, identity.transpose()?).map_err(|source| {
            failed("use the certificate and key of", self.security.identity.as_ref().map(|(cert, _)| cert), source)
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
        let login = self.login(Login::Server);
        let subscribed = async {
            let mut channels = PubSub::new(&login, wire).await?;
            channels.subscribe(channel).await?;
            Ok(Notices::of(channels))
        };
        match timeout_at(until, subscribed).await {
            Ok(done) => done.map_err(|error: RedisError| self.reject(&error, &node, Login::Server)),
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
