//! TLS for checks: certificates by the system's roots, or none asked for.

use std::sync::Arc;

use tokio::{net::TcpStream, sync::OnceCell};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, DigitallySignedStruct, Error, InvalidMessage, RootCertStore, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, ServerName, UnixTime},
    },
};

/// Why there is no TLS over a connection.
#[derive(Debug)]
pub(super) enum Trouble {
    /// What answers speaks something else.
    NoTls,
    /// Anything else, in one line.
    Other(String),
}

impl From<String> for Trouble {
    fn from(text: String) -> Self {
        Self::Other(text)
    }
}

/// Speaks TLS over a connection.
pub(super) async fn connect(
    stream: TcpStream,
    host: &str,
    insecure: bool,
) -> Result<TlsStream<TcpStream>, Trouble> {
    static CHECKED: OnceCell<Arc<ClientConfig>> = OnceCell::const_new();
    static UNCHECKED: OnceCell<Arc<ClientConfig>> = OnceCell::const_new();
    let config = match insecure {
        true => UNCHECKED.get_or_try_init(|| async { unchecked() }).await?,
        // It reads many files: not in the loop.
        false => {
            let read = || async {
                let reading = tokio::task::spawn_blocking(checked).await;
                reading.unwrap_or_else(|error| Err(error.to_string()))
            };
            CHECKED.get_or_try_init(read).await?
        }
    };
    let name =
        ServerName::try_from(host.to_owned()).map_err(|error| Trouble::Other(error.to_string()))?;
    let connecting = TlsConnector::from(Arc::clone(config)).connect(name, stream);
    connecting.await.map_err(|error| match error.get_ref() {
        Some(why) => match why.downcast_ref::<Error>() {
            Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => Trouble::NoTls,
            Some(_) | None => Trouble::Other(explain(&why.to_string())),
        },
        None => Trouble::Other(error.to_string()),
    })
}

/// Says what to do about a certificate of nobody's.
fn explain(error: &str) -> String {
    let unknown = error.contains("UnknownIssuer") || error.contains("CaUsedAsEndEntity");
    let hint = if unknown { " (`insecure=#true` accepts any certificate)" } else { "" };
    format!("{error}{hint}")
}

fn checked() -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(format!("the system has no root certificates{why}"));
    }
    let config = builder()?.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(config))
}

fn unchecked() -> Result<Arc<ClientConfig>, String> {
    let verifier = Arc::new(AnyCertificate(ring::default_provider()));
    let config = builder()?.dangerous().with_custom_certificate_verifier(verifier);
    Ok(Arc::new(config.with_no_client_auth()))
}

type Builder =
    tokio_rustls::rustls::ConfigBuilder<ClientConfig, tokio_rustls::rustls::WantsVerifier>;

fn builder() -> Result<Builder, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())
}

/// Accepts whatever certificate a server shows, as the file asks.
#[derive(Debug)]
struct AnyCertificate(CryptoProvider);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
