//! The bytes to and from Redis: TCP, TLS, and a bound on what one answer may hold.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::files::open::read_through;
use liveops_domain::text::redis_url::Node;

/// The most bytes that are taken in between two requests: a hundred thousand flags with their lists fit.
const MAX_ANSWER: usize = 256 * 1024 * 1024;

/// A connection, whatever it runs over.
pub struct Wire {
    stream: Stream,
    /// Bytes of the answer that is being read.
    taken: usize,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

impl Wire {
    /// Connects; with `tls`, checks that the certificate is for this host.
    pub async fn connect(node: &Node, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let tcp = TcpStream::connect((node.host.as_str(), node.port)).await?;
        tcp.set_nodelay(true)?;
        let stream = match tls {
            None => Stream::Plain(tcp),
            Some(config) => {
                let name = ServerName::try_from(node.host.clone()).map_err(io::Error::other)?;
                let connector = TlsConnector::from(Arc::clone(config));
                Stream::Tls(Box::new(connector.connect(name, tcp).await?))
            }
        };
        Ok(Self { stream, taken: 0 })
    }
}

/// What to trust: the authorities of the file, or those of the system.
///
/// # Errors
/// A file that cannot be read or holds no certificate.
pub fn roots(ca: Option<&Path>) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| broken(&error.to_string()))?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
        }
    }
    Ok(roots)
}

/// The certificates of a file, at least one.
///
/// # Errors
/// As [`roots`].
pub fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let pem = read_through(path)?;
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|error| broken(&error.to_string()))?;
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it holds no certificate in PEM"));
    }
    Ok(found)
}

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a certificate in it is broken: {why}"))
}

/// The private key of a file.
///
/// # Errors
/// A file that cannot be read or holds none, such as one that is encrypted.
pub fn private_key(path: &Path) -> io::Result<PrivateKeyDer<'static>> {
    let pem = read_through(path)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "it holds no private key in PEM that can be read without a passphrase",
        )
    })
}

/// How TLS is spoken: who is trusted, and what is shown where a server asks for it.
///
/// # Errors
/// A key that does not belong to the certificate.
pub fn tls_config(
    roots: RootCertStore,
    identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> io::Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots);
    Ok(Arc::new(match identity {
        Some((certificates, key)) => builder.with_client_auth_cert(certificates, key).map_err(io::Error::other)?,
        None => builder.with_no_client_auth(),
    }))
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, buffer),
        };
        self.taken += buffer.filled().len() - before;
        if self.taken > MAX_ANSWER {
            let text = format!("an answer of more than {} MiB", MAX_ANSWER / 1024 / 1024);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::FileTooLarge, text)));
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // The next answer begins.
        self.taken = 0;
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
