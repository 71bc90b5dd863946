//! A handshake that looks: it takes every certificate, keeps the chain, and says what a client would have refused.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// DER, the server's own first.
    pub chain: Vec<Vec<u8>>,
    /// Why a client refuses the chain.
    pub refused: Option<Refused>,
}

/// Why a chain is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It is for other names.
    Name,
    /// Nobody who is trusted here has signed it.
    Issuer,
    /// One of its times is over, or has not begun.
    Time,
    Other(String),
}

/// Why there was no handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unseen {
    /// It cannot be reached, or does not answer.
    Silent(String),
    /// It answers, and speaks neither TLS 1.2 nor 1.3.
    Old(String),
}

#[derive(Debug)]
struct Looker {
    real: Arc<WebPkiServerVerifier>,
    seen: Mutex<Seen>,
}

impl ServerCertVerifier for Looker {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        use rustls::CertificateError as Why;
        let refused = match self.real.verify_server_cert(end, others, name, ocsp, now) {
            Ok(_) => None,
            Err(Error::InvalidCertificate(why)) => Some(match why {
                Why::NotValidForName | Why::NotValidForNameContext { .. } => Refused::Name,
                Why::UnknownIssuer => Refused::Issuer,
                Why::Expired | Why::ExpiredContext { .. } | Why::NotValidYet | Why::NotValidYetContext { .. } => {
                    Refused::Time
                }
                why => Refused::Other(why.to_string()),
            }),
            Err(error) => Some(Refused::Other(error.to_string())),
        };
        let chain = std::iter::once(end).chain(others).map(|one| one.as_ref().to_vec()).collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen { chain, refused };
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.real.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.real.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.real.supported_verify_schemes()
    }
}

/// Shakes hands with a server, and sends it nothing.
///
/// # Errors
/// `Unseen`: there is no chain to judge.
pub async fn look(host: &str, port: u16, roots: RootCertStore, limit: Duration) -> Result<Seen, Unseen> {
    let silent = |why: String| Unseen::Silent(why);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let real = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| silent(format!("this machine trusts no authority: {error}")))?;
    let looker = Arc::new(Looker { real, seen: Mutex::default() });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| silent(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&looker) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned()).map_err(|_| silent(format!("`{host}` is no name of a host")))?;
    let shake = async {
        let tcp = TcpStream::connect((bare, port)).await.map_err(|error| silent(error.to_string()))?;
        let shaken = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
        match shaken {
            Ok(_) => Ok(()),
            // It wants our certificate, after it has shown its own.
            Err(_) if !looker.seen.lock().unwrap_or_else(PoisonError::into_inner).chain.is_empty() => Ok(()),
            Err(error) => {
                let text = error.to_string();
                let old = ["ProtocolVersion", "peer is incompatible", "HandshakeFailure"]
                    .iter()
                    .any(|word| text.contains(word));
                Err(if old { Unseen::Old(text) } else { silent(text) })
            }
        }
    };
    match timeout(limit, shake).await {
        Ok(done) => done?,
        Err(_) => return Err(silent(format!("no answer within {} s", limit.as_secs()))),
    }
    let seen = looker.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(seen)
}
