//! Where a Redis is, as a URL says it: one server, a Cluster by its seeds, or a primary that Sentinels know. Pure.
//!
//! `redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]`, `redis+cluster://HOST:PORT,HOST:PORT`,
//! `redis+sentinel://HOST:PORT,HOST:PORT/PRIMARY[/DB]`; with `rediss` in the place of `redis` over TLS.

use std::fmt;

/// The schemes, the plain one first.
pub const SCHEMES: [&str; 6] =
    ["redis", "rediss", "redis+cluster", "rediss+cluster", "redis+sentinel", "rediss+sentinel"];

/// Port of a server that names none.
const SERVER_PORT: u16 = 6379;

/// Port of a Sentinel that names none.
const SENTINEL_PORT: u16 = 26379;

/// A machine and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub host: String,
    pub port: u16,
}

/// How the servers belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// One server.
    Single(Node),
    /// Any of these knows the others.
    Cluster(Vec<Node>),
    /// These know which server is the primary of this name.
    Sentinel { sentinels: Vec<Node>, name: String },
}

/// A parsed URL. Its `Debug` never shows the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    pub topology: Topology,
    pub tls: bool,
    pub user: Option<String>,
    pub password: Option<String>,
    pub db: u16,
}

impl RedisUrl {
    /// Reads one of the forms above.
    ///
    /// # Errors
    /// What is wrong, in words; never the password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or("it has no `://`")?;
        let plain = scheme.strip_prefix("rediss").map(|kind| (true, kind));
        let (tls, kind) = plain
            .or_else(|| scheme.strip_prefix("redis").map(|kind| (false, kind)))
            .ok_or_else(|| format!("`{scheme}:` is not a scheme of Redis"))?;
        // A host, a database and a primary have no `@`: whatever stands before the last one is the login, also where a
        // password has a `/` or `?` in it, and never stands in an error.
        let (login, rest) = rest.rsplit_once('@').map_or((None, rest), |(login, rest)| (Some(login), rest));
        if login.is_some_and(|login| login.contains('@') && login.contains(['/', '?'])) {
            return Err(
                "it has more than one `@`; in a password write `%40` for it, `%2F` for `/`, `%3F` for `?`".into()
            );
        }
        if let Some((_, parameters)) = rest.split_once('?') {
            let name = parameters.split('=').next().unwrap_or_default();
            return Err(format!(
                "it takes no parameters such as `?{name}`; `ca`, `cert`, `key_file`, `username` and `password` are keys beside `url`"
            ));
        }
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, password) = credentials(login)?;
        let mut path = path.split('/').filter(|part| !part.is_empty());
        let topology = match kind {
            "" => match nodes(hosts, SERVER_PORT)?.as_slice() {
                [one] => Topology::Single(one.clone()),
                _ => {
                    return Err(format!(
                        "it names several hosts; write `{scheme}+cluster://…` or `{scheme}+sentinel://…/PRIMARY`"
                    ));
                }
            },
            "+cluster" => Topology::Cluster(nodes(hosts, SERVER_PORT)?),
            "+sentinel" => Topology::Sentinel {
                sentinels: nodes(hosts, SENTINEL_PORT)?,
                name: decoded(
                    path.next().ok_or("the name of the primary is missing: `redis+sentinel://HOST:26379/PRIMARY`")?,
                )?,
            },
            _ => return Err(format!("`{scheme}:` is not a scheme of Redis")),
        };
        let db = match path.next() {
            None => 0,
            Some(text) => text.parse().map_err(|_| format!("`{text}` is not the number of a database"))?,
        };
        if matches!(topology, Topology::Cluster(_)) && db != 0 {
            return Err("a Redis Cluster has database 0 only".into());
        }
        if let Some(more) = path.next() {
            return Err(format!("`/{more}` is too much"));
        }
        Ok(Self { topology, tls, user, password, db })
    }
}

impl fmt::Display for RedisUrl {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |nodes: &[Node]| {
            let nodes: Vec<String> = nodes.iter().map(ToString::to_string).collect();
            nodes.join(",")
        };
        f.write_str(if self.tls { "rediss" } else { "redis" })?;
        match &self.topology {
            Topology::Single(node) => write!(f, "://{node}")?,
            Topology::Cluster(nodes) => write!(f, "+cluster://{}", list(nodes))?,
            Topology::Sentinel { sentinels, name } => {
                write!(f, "+sentinel://{}/{name}", list(sentinels))?;
            }
        }
        match self.db {
            0 => Ok(()),
            db => write!(f, "/{db}"),
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Node {
    /// Where a redirection leads, by a server of this node: `HOST:PORT`. A server that does not know how it is reached
    /// from outside leaves the host out or writes `?`; then the host stays.
    ///
    /// # Errors
    /// What is no address, or no port.
    pub fn redirected(&self, address: &str) -> Result<Self, String> {
        let node = match address.rsplit_once(':') {
            Some(("" | "?", port)) => {
                Self::parse(&format!("h:{port}"), self.port).map(|node| Self { host: self.host.clone(), ..node })
            }
            _ => Self::parse(address, self.port),
        };
        match node {
            Ok(node) if node.port == 0 => Err(format!("`{address}` has no port")),
            node => node,
        }
    }

    /// `HOST:PORT`.
    pub fn parse(text: &str, port: u16) -> Result<Self, String> {
        let bad = || format!("`{text}` is not `HOST:PORT`");
        let (host, rest) = match text.strip_prefix('[') {
            Some(inner) => inner.split_once(']').ok_or_else(bad)?,
            None => match text.rsplit_once(':') {
                // Redis writes IPv6 without brackets: `::1:6379`.
                Some((host, port)) => (host, &text[text.len() - port.len() - 1..]),
                None => (text, ""),
            },
        };
        let port = match rest.strip_prefix(':') {
            Some(digits) => digits.parse().map_err(|_| bad())?,
            None if rest.is_empty() => port,
            None => return Err(bad()),
        };
        let sound = |c: char| c.is_ascii_alphanumeric() || "-._:%".contains(c);
        if host.is_empty() || !host.chars().all(sound) {
            return Err(bad());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

fn nodes(text: &str, port: u16) -> Result<Vec<Node>, String> {
    text.split(',').map(|node| Node::parse(node, port)).collect()
}

type Login = (Option<String>, Option<String>);

fn credentials(login: Option<&str>) -> Result<Login, String> {
    let Some(login) = login else {
        return Ok((None, None));
    };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let part = |text: &str| match text {
        "" => Ok(None),
        text => decoded(text).map(Some),
    };
    Ok((part(user)?, part(password)?))
}

/// Percent-decoded.
fn decoded(text: &str) -> Result<String, String> {
    let bad = || "a `%` in it begins no character; write `%25` for `%`".to_owned();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (high, low) = (digit(rest.next()), digit(rest.next()));
        let value = high.zip(low).map(|(high, low)| high * 16 + low);
        bytes.push(value.and_then(|value| u8::try_from(value).ok()).ok_or_else(bad)?);
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_and_shows_itself_without_credentials() {
        for (text, shown) in [
            ("redis://h", "redis://h:6379"),
            ("redis://u:p%40w@h:1/2", "redis://h:1/2"),
            ("rediss://:p@[::1]:7", "rediss://[::1]:7"),
            ("redis+cluster://a:1,b", "redis+cluster://a:1,b:6379"),
            ("rediss+sentinel://u@a,b:2/main/3", "rediss+sentinel://a:26379,b:2/main/3"),
        ] {
            let url = RedisUrl::parse(text).expect(text);
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), shown);
        }
        let url = RedisUrl::parse("redis://u:p%40w@h:1/2").expect("sound");
        assert_eq!(url.user.as_deref(), Some("u"));
        assert_eq!(url.password.as_deref(), Some("p@w"));
        let url = RedisUrl::parse("redis://:a/b?c#d@h:1/2").expect("sound");
        assert_eq!((url.password.as_deref(), url.to_string().as_str()), (Some("a/b?c#d"), "redis://h:1/2"));
        let url = RedisUrl::parse("redis://:p:w@h").expect("sound");
        assert_eq!((url.user, url.password.as_deref()), (None, Some("p:w")));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (text, want) in [
            ("h:6379", "no `://`"),
            ("http://h", "not a scheme"),
            ("redis+clstr://h", "not a scheme"),
            ("redis://a:1,b:2", "redis+cluster://"),
            ("redis+sentinel://a:1", "the name of the primary is missing"),
            ("redis+cluster://a:1/2", "database 0 only"),
            ("redis://h/x", "not the number of a database"),
            ("redis://h/1/2", "too much"),
            ("redis://h:port", "not `HOST:PORT`"),
            ("redis://h h", "not `HOST:PORT`"),
            ("redis://", "not `HOST:PORT`"),
            ("redis://u:canary%@h", "begins no character"),
            ("redis://u:canary@h?ssl_ca_certs=x", "`?ssl_ca_certs`"),
            ("redis://u:canary@h?mail=a@canary", "more than one `@`"),
            ("redis://:a/canary@h:port", "not `HOST:PORT`"),
            ("redis://:a?canary@h/1/2", "too much"),
        ] {
            let said = RedisUrl::parse(text).expect_err(text);
            assert!(said.contains(want), "{text}: {said}");
            assert!(!said.contains("canary"), "{said}");
        }
    }

    #[test]
    fn redirections_are_read_as_redis_writes_them() {
        let node = |text| Node::parse(text, 1).map(|node| (node.host, node.port));
        assert_eq!(node("10.0.0.1:7000"), Ok(("10.0.0.1".into(), 7000)));
        assert_eq!(node("::1:7000"), Ok(("::1".into(), 7000)));
        assert_eq!(node("[fe80::1]"), Ok(("fe80::1".into(), 1)));
        let from = Node { host: "db.example".into(), port: 7000 };
        let to = |address| from.redirected(address).map(|node| node.to_string());
        for (address, want) in [
            ("10.0.0.1:7001", "10.0.0.1:7001"),
            ("node-2.example:7001", "node-2.example:7001"),
            (":7001", "db.example:7001"),
            ("?:7001", "db.example:7001"),
            ("::1:7001", "[::1]:7001"),
            ("fe80::1:7001", "[fe80::1]:7001"),
            ("[::1]:7001", "[::1]:7001"),
        ] {
            assert_eq!(to(address).as_deref(), Ok(want), "{address}");
        }
        for address in [":0", "h:0", "", ":", "?:", "h:70000", "a b:1", "\u{1b}[31m:1"] {
            assert!(to(address).is_err(), "{address}");
        }
    }
}
