//! `http` checks: one request, and whether the answer will do.

use http_body_util::Empty;
use hyper::{StatusCode, body::Bytes};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    checks::Endpoint,
    tls::{self, Trouble},
};
use crate::{model::StatusSet, reason::CheckAnswer};

/// An HTTP request and what to expect.
#[derive(Debug)]
pub(super) struct HttpRequest {
    pub(super) endpoint: Endpoint,
    pub(super) scheme: Scheme,
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) status: Option<StatusSet>,
    /// What is asked, as the file has it: the path, or the whole URL.
    pub(super) label: String,
}

/// What lies between a request and the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https {
        /// Whether to accept any certificate.
        insecure: bool,
    },
}

impl HttpRequest {
    /// Asks once.
    pub(super) async fn send(&self) -> Result<(), CheckAnswer> {
        let stream = self.endpoint.connect().await?;
        let status = match self.scheme {
            Scheme::Http => match self.exchange(stream).await {
                // What a server of TLS has to say to a plain request: nothing, an alert, or that.
                Err(error) if self.speaks_tls().await => {
                    return Err(self.instead("https", &error).into());
                }
                Ok(StatusCode::BAD_REQUEST)
                    if !self.expects(StatusCode::BAD_REQUEST) && self.speaks_tls().await =>
                {
                    return Err(self.instead("https", "400").into());
                }
                answer => answer?,
            },
            Scheme::Https { insecure } => {
                let host = self.endpoint.host.as_deref().unwrap_or("localhost");
                match tls::connect(stream, host, insecure).await {
                    Ok(stream) => self.exchange(stream).await?,
                    Err(Trouble::NoTls) => {
                        return Err(self.instead("http", "it does not answer in TLS").into());
                    }
                    Err(Trouble::Other(error)) => return Err(error.into()),
                }
            }
        };
        match self.expects(status) {
            true => Ok(()),
            false => Err(CheckAnswer::Status { code: status.as_u16() }),
        }
    }

    fn expects(&self, status: StatusCode) -> bool {
        match &self.status {
            Some(wanted) => wanted.contains(status.as_u16()),
            None => status.is_success() || status.is_redirection(),
        }
    }

    /// Whether the port speaks TLS, asked on a connection of its own.
    async fn speaks_tls(&self) -> bool {
        let host = self.endpoint.host.as_deref().unwrap_or("localhost");
        match self.endpoint.connect().await {
            Ok(stream) => tls::connect(stream, host, true).await.is_ok(),
            Err(_) => false,
        }
    }

    /// Says how the port is to be asked in place of how it was.
    fn instead(&self, scheme: &str, answer: &str) -> String {
        let Self { authority, path, .. } = self;
        let speaks = if scheme == "https" { "speaks TLS" } else { "speaks plain HTTP" };
        format!("{answer} (the port {speaks}: ask `{scheme}://{authority}{path}`)")
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
    ) -> Result<StatusCode, String> {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let usual = [
            ("host", &*self.authority),
            ("user-agent", concat!("stackrun/", env!("CARGO_PKG_VERSION"))),
            ("connection", "close"),
        ];
        // Two of a name would be refused by many a server.
        let is_told =
            |name: &str| self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        let usual = usual.into_iter().filter(|(name, _)| !is_told(name));
        let told = self.headers.iter().map(|(name, value)| (&**name, &**value));
        let mut request = hyper::Request::get(&self.path);
        for (name, value) in usual.chain(told) {
            request = request.header(name, value);
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
        let response = sender.send_request(request);
        tokio::pin!(response);
        let response = tokio::select! {
            biased;
            response = &mut response => response,
            // The connection may end with the answer already delivered.
            result = connection => match result {
                Ok(()) => response.await,
                Err(error) => Err(error),
            },
        };
        Ok(response.map_err(|error| error.to_string())?.status())
    }
}

/// The parts of a URL that a check can ask.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) endpoint: Endpoint,
    pub(super) scheme: Scheme,
    pub(super) authority: String,
    pub(super) path: String,
}

/// Takes a URL apart.
pub(super) fn parse_url(url: &str, insecure: bool) -> Result<Target, String> {
    let uri: hyper::Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
    let (scheme, port) = match uri.scheme_str() {
        Some("http") => (Scheme::Http, 80),
        Some("https") => (Scheme::Https { insecure }, 443),
        Some(scheme) => return Err(format!("{url}: `{scheme}` is neither http nor https")),
        None => return Err(format!("{url}: no scheme")),
    };
    let host = uri.host().unwrap_or("localhost").trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(port);
    let endpoint = Endpoint { host: Some(host), port, owner: None };
    let authority = uri.authority().map_or_else(String::new, ToString::to_string);
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    Ok(Target { endpoint, scheme, authority, path })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::{
        core::lifecycle::ProbeAnswer,
        executor::checks::Attempt,
        reason::{CheckLabel, FailedCheck},
    };

    const SOON: Duration = Duration::from_millis(200);

    /// Answers one request with these bytes, and gives back what was asked.
    async fn answer(listener: TcpListener, bytes: &'static str) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    }

    fn http(port: u16, status: Option<u16>) -> Attempt {
        let endpoint = Endpoint { host: None, port, owner: None };
        Attempt::Http(Box::new(HttpRequest {
            endpoint,
            scheme: Scheme::Http,
            authority: format!("localhost:{port}"),
            path: "/health?deep=1".into(),
            headers: vec![("X-Probe".into(), "yes".into())],
            status: status.and_then(StatusSet::of),
            label: "/health".into(),
        }))
    }

    async fn ask_http(address: &str, reply: &'static str, status: Option<u16>) -> ProbeAnswer {
        let listener = TcpListener::bind(address).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut attempt = http(port, status);
        let (seen, answer) = tokio::join!(answer(listener, reply), attempt.ask(SOON * 100));
        let seen = seen.to_lowercase();
        assert!(seen.starts_with("get /health?deep=1 http/1.1\r\n"), "{seen}");
        assert!(seen.contains(&format!("host: localhost:{port}\r\n")), "{seen}");
        assert!(seen.contains("x-probe: yes\r\n"), "{seen}");
        answer
    }

    fn fails(answer: CheckAnswer) -> ProbeAnswer {
        let check = CheckLabel::Http { target: "/health".into() };
        ProbeAnswer::Fails(FailedCheck { check, answer })
    }

    #[tokio::test]
    async fn http_takes_success_and_redirection() {
        let ok = "HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(ask_http("127.0.0.1:0", ok, None).await, ProbeAnswer::Holds);
        let moved =
            "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(ask_http("127.0.0.1:0", moved, None).await, ProbeAnswer::Holds);
        let busy = "HTTP/1.0 503 Unavailable\r\n\r\n";
        assert_eq!(
            ask_http("127.0.0.1:0", busy, None).await,
            fails(CheckAnswer::Status { code: 503 })
        );
    }

    #[tokio::test]
    async fn http_takes_only_the_status_that_was_asked_for() {
        let teapot = "HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(ask_http("127.0.0.1:0", teapot, Some(418)).await, ProbeAnswer::Holds);
        let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(
            ask_http("127.0.0.1:0", ok, Some(418)).await,
            fails(CheckAnswer::Status { code: 200 })
        );
    }

    #[tokio::test]
    async fn a_server_on_ipv6_alone_is_found() {
        // Many containers have no IPv6.
        if TcpListener::bind("[::1]:0").await.is_err() {
            return;
        }
        let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(ask_http("[::1]:0", ok, None).await, ProbeAnswer::Holds);
    }

    #[tokio::test]
    async fn silence_and_refusal_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(
            http(port, None).ask(SOON).await,
            fails(CheckAnswer::NoAnswer { within_ms: 200 })
        );
        drop(listener);
        assert_eq!(
            http(port, None).ask(SOON).await,
            fails(CheckAnswer::Error("connection refused".into()))
        );
    }

    #[test]
    fn urls_are_taken_apart() {
        let target = parse_url("http://[::1]:81/a?b=c", false).unwrap();
        assert_eq!((target.endpoint.host.as_deref(), target.endpoint.port), (Some("::1"), 81));
        assert_eq!((&*target.authority, &*target.path), ("[::1]:81", "/a?b=c"));
        assert_eq!(parse_url("http://host", true).unwrap().endpoint.port, 80);
        let target = parse_url("https://host", true).unwrap();
        assert_eq!((target.endpoint.port, target.scheme), (443, Scheme::Https { insecure: true }));
        assert!(parse_url("/health", false).is_err());
        assert!(parse_url("ftp://host/", false).is_err());
    }
}
