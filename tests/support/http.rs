//! The least HTTP/1.1 that tests need: a request read from a socket, and a blocking client for polling.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// One call of the client may take this long.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// A request as a server got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// Upper case.
    pub(crate) method: String,
    /// Without the query, percent-encoding as sent.
    pub(crate) path: String,
    /// Decoded pairs of the query string, in order.
    pub(crate) query: Vec<(String, String)>,
    /// Names in lower case, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// As many bytes as `Content-Length` said.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Reads one request; `None` when the peer has closed the connection.
    ///
    /// # Errors
    /// What the socket says, and `InvalidData` for what is not HTTP.
    pub(crate) fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(line) = line(reader)? else {
            return Ok(None);
        };
        let mut words = line.split(' ');
        let (Some(method), Some(target), Some(_)) = (words.next(), words.next(), words.next()) else {
            return Err(invalid("not an HTTP request line"));
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = headers(reader)?;
        let length = match header(&headers, "content-length") {
            Some(length) => length.parse().map_err(|_| invalid("content-length"))?,
            None => 0,
        };
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        Ok(Some(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: pairs(query.as_bytes()),
            headers,
            body,
        }))
    }

    /// The first header of this name (lower case).
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The first parameter of this name, from the query string or a form body.
    pub(crate) fn param(&self, name: &str) -> Option<String> {
        let form = pairs(&self.body);
        self.query.iter().chain(&form).find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the request body is JSON")
    }
}

/// Status and body of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    /// Such as 200.
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// Up to the end of the connection.
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// `GET path` from loopback.
///
/// # Errors
/// What the socket says; also after ten seconds without an answer.
pub(crate) fn get(port: u16, path: &str) -> io::Result<Response> {
    call(port, "GET", path, "", &[])
}

/// `POST path` with a form body.
///
/// # Errors
/// As [`get`].
pub(crate) fn post_form(port: u16, path: &str, form: &[(&str, &str)]) -> io::Result<Response> {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    call(port, "POST", path, "application/x-www-form-urlencoded", body.as_bytes())
}

/// `POST path` with a JSON body.
///
/// # Errors
/// As [`get`].
pub(crate) fn post_json(port: u16, path: &str, body: &serde_json::Value) -> io::Result<Response> {
    call(port, "POST", path, "application/json", body.to_string().as_bytes())
}

/// One request. HTTP/1.0, so that no server answers in chunks and the end of the connection ends the body.
pub(crate) fn call(port: u16, method: &str, path: &str, kind: &str, body: &[u8]) -> io::Result<Response> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(CALL_LIMIT))?;
    stream.set_write_timeout(Some(CALL_LIMIT))?;
    let length = body.len();
    let mut message = format!("{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n").into_bytes();
    if method != "GET" {
        write!(message, "Content-Type: {kind}\r\nContent-Length: {length}\r\n")?;
    }
    message.extend_from_slice(b"\r\n");
    message.extend_from_slice(body);
    stream.write_all(&message)?;

    let mut reader = BufReader::new(stream);
    let status = line(&mut reader)?
        .as_deref()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| invalid("not an HTTP status line"))?;
    let headers = headers(&mut reader)?;
    let mut body = Vec::new();
    match header(&headers, "content-length").and_then(|length| length.parse::<u64>().ok()) {
        Some(length) => reader.take(length).read_to_end(&mut body)?,
        None => reader.read_to_end(&mut body)?,
    };
    Ok(Response { status, headers, body })
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn headers(reader: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let line = line(reader)?.ok_or_else(|| invalid("the head ends early"))?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| invalid("a header without colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text).into_owned().collect()
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
