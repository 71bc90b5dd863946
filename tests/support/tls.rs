//! An HTTPS server with a self-signed certificate, and the certificate's file for clients that are told to trust it.

use std::fs;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};
use tempfile::TempDir;

use super::http::Request;
use super::stub::Answer;
use super::wire::WireServer;

/// What the certificate is to say. Not a certificate authority: verifiers refuse those as a server's own.
const REQUEST: &str = "\
[req]
prompt = no
distinguished_name = name
x509_extensions = server
[name]
CN = localhost
[server]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:localhost, IP:127.0.0.1
";

/// Serves HTTPS on loopback; one request a connection.
pub(crate) struct TlsServer {
    server: WireServer,
    folder: TempDir,
}

impl TlsServer {
    /// Makes a certificate for `localhost` and `127.0.0.1`, and answers each request by `handler`.
    ///
    /// # Panics
    /// When the `openssl` command is missing (Debian package `openssl`).
    #[track_caller]
    pub(crate) fn start(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder is writable");
        let config = Arc::new(config(folder.path()));
        let server = WireServer::start(move |wire| {
            let mut connection = ServerConnection::new(Arc::clone(&config)).map_err(std::io::Error::other)?;
            let mut stream = Stream::new(&mut connection, wire.reader.get_mut());
            let request = Request::read(&mut BufReader::new(&mut stream))?;
            if let Some(request) = request {
                stream.write_all(&handler(&request).header("Connection", "close").bytes())?;
                stream.conn.send_close_notify();
                stream.flush()?;
            }
            Ok(())
        });
        Self { server, folder }
    }

    /// `https://127.0.0.1:PORT`, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.server.port())
    }

    /// The certificate in PEM; a client that trusts it may connect.
    pub(crate) fn certificate(&self) -> PathBuf {
        certificate(self.folder.path())
    }
}

fn certificate(folder: &Path) -> PathBuf {
    folder.join("certificate.pem")
}

/// Makes `certificate.pem` and `key.pem` for `localhost` and `127.0.0.1` in the folder.
///
/// # Panics
/// When the `openssl` command is missing (Debian package `openssl`).
#[allow(clippy::disallowed_methods, reason = "a key is made for each test rather than committed")]
#[track_caller]
pub(crate) fn make_certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (certificate(folder), folder.join("key.pem"));
    let request = folder.join("request.cnf");
    fs::write(&request, REQUEST).expect("the test's own folder is writable");
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-config"])
        .arg(&request)
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap_or_else(|error| panic!("`openssl` cannot be started ({error}); install the Debian package `openssl`"));
    assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    (certificate, key)
}

#[track_caller]
fn config(folder: &Path) -> ServerConfig {
    let (certificate, key) = make_certificate(folder);
    let chain =
        CertificateDer::from_pem_slice(&fs::read(&certificate).expect("openssl wrote it")).expect("openssl writes PEM");
    let key = PrivateKeyDer::from_pem_slice(&fs::read(&key).expect("openssl wrote it")).expect("openssl writes PEM");
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .expect("the key belongs to the certificate")
}
