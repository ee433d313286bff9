//! One attempt of one check: connect, ask, run, look. An attempt is a future; dropping it ends
//! whatever it had started.

use std::{
    collections::BTreeMap,
    io::{Read, Seek, SeekFrom},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{oneshot::Oneshot, owner::Owner};
use crate::{event::Tick, lifecycle::ProbeAnswer, platform};

/// A check with everything filled in, and what it has learnt from earlier attempts.
#[derive(Debug)]
pub(super) enum Attempt {
    /// These ports are listened on (by the service's own processes).
    Listening(Vec<Endpoint>),
    /// These ports accept a connection.
    Tcp(Vec<Endpoint>),
    /// A request is answered as expected.
    Http(Box<HttpRequest>),
    /// A command exits with 0.
    Command(Oneshot),
    /// The log has a line that matches.
    Prints(LogSearch),
    /// This much time has passed since the start.
    Delay { started: Tick, delay: Duration },
    /// It cannot be asked at all.
    Broken { check: String, answer: String },
}

/// A port to ask, and who must be listening on it.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    /// A host, where the file names one.
    pub(super) host: Option<String>,
    /// The port.
    pub(super) port: u16,
    /// Whose processes must listen; `None` where anybody may.
    pub(super) owner: Option<Owner>,
}

/// An HTTP request and what to expect.
#[derive(Debug)]
pub(super) struct HttpRequest {
    pub(super) endpoint: Endpoint,
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) status: Option<u16>,
    /// How it is named to a person.
    pub(super) label: String,
}

/// A search in the part of a log that one generation wrote.
#[derive(Debug)]
pub(super) struct LogSearch {
    pub(super) log: PathBuf,
    /// Where the next attempt goes on.
    pub(super) offset: u64,
    pub(super) regex: regex::bytes::Regex,
    /// A line that has begun and not ended yet.
    pub(super) partial: Vec<u8>,
    pub(super) found: bool,
}

impl Attempt {
    /// Whether an attempt starts a process, which costs more than a system call.
    pub(super) fn is_expensive(&self) -> bool {
        matches!(self, Self::Command(_))
    }

    /// How long to wait before asking makes sense at all.
    pub(super) fn not_before(&self, now: Tick) -> Option<Duration> {
        match self {
            Self::Delay { started, delay } => Some((*started + *delay).since(now)),
            Self::Listening(_)
            | Self::Tcp(_)
            | Self::Http(_)
            | Self::Command(_)
            | Self::Prints(_)
            | Self::Broken { .. } => None,
        }
    }

    /// Asks once.
    pub(super) async fn ask(&mut self, timeout: Duration) -> ProbeAnswer {
        let result = match self {
            // A command brings its own time-out, so that its tree is killed before the answer.
            Self::Command(command) => command.run(timeout).await,
            Self::Listening(_)
            | Self::Tcp(_)
            | Self::Http(_)
            | Self::Prints(_)
            | Self::Delay { .. }
            | Self::Broken { .. } => {
                let late = |_| Err(format!("no answer within {}", super::text::duration(timeout)));
                tokio::time::timeout(timeout, self.ask_unbounded()).await.unwrap_or_else(late)
            }
        };
        match result {
            Ok(()) => ProbeAnswer::Holds,
            Err(answer) => ProbeAnswer::Fails { check: self.label(), answer },
        }
    }

    async fn ask_unbounded(&mut self) -> Result<(), String> {
        match self {
            Self::Listening(endpoints) => endpoints.iter().try_for_each(Endpoint::listened_on),
            Self::Tcp(endpoints) => {
                for endpoint in endpoints {
                    endpoint.connect().await?;
                }
                Ok(())
            }
            Self::Http(request) => request.send().await,
            Self::Prints(search) => search.look(),
            Self::Delay { started, delay } => {
                let passed = platform::now().since(*started);
                if passed >= *delay { Ok(()) } else { Err("not yet".into()) }
            }
            Self::Command(_) => Ok(()),
            Self::Broken { answer, .. } => Err(answer.clone()),
        }
    }

    fn label(&self) -> String {
        let ports = |endpoints: &[Endpoint]| {
            let ports: Vec<String> = endpoints.iter().map(|e| e.port.to_string()).collect();
            ports.join(", ")
        };
        match self {
            Self::Listening(endpoints) => format!("port {}", ports(endpoints)),
            Self::Tcp(endpoints) => format!("tcp {}", ports(endpoints)),
            Self::Http(request) => request.label.clone(),
            Self::Command(command) => command.label().to_owned(),
            Self::Prints(search) => format!("prints {}", search.regex.as_str()),
            Self::Delay { delay, .. } => format!("delay {}", super::text::duration(*delay)),
            Self::Broken { check, .. } => check.clone(),
        }
    }
}

impl Endpoint {
    /// Somebody who may listens on the port.
    fn listened_on(&self) -> Result<(), String> {
        match &self.owner {
            Some(owner) => owner.listens_on(self.port),
            None => match platform::listeners(&[self.port]) {
                Ok(listeners) if listeners.is_empty() => {
                    Err(format!("nothing listens on port {}", self.port))
                }
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            },
        }
    }

    /// A connection to the port, which only a proper owner may have accepted.
    async fn connect(&self) -> Result<TcpStream, String> {
        // Asked first: a stranger on the port must not even see a request.
        if self.owner.is_some() {
            self.listened_on()?;
        }
        let mut refusal = String::new();
        for address in self.addresses().await? {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => refusal = super::text::os_error(&error),
            }
        }
        Err(refusal)
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, String> {
        let loopback = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
        match self.host.as_deref() {
            None | Some("localhost") => {
                Ok(loopback.map(|ip| SocketAddr::new(ip, self.port)).to_vec())
            }
            Some(host) => match tokio::net::lookup_host((host, self.port)).await {
                Ok(found) => Ok(found.collect()),
                Err(error) => Err(format!("{host}: {}", super::text::os_error(&error))),
            },
        }
    }
}

impl HttpRequest {
    async fn send(&self) -> Result<(), String> {
        let stream = self.endpoint.connect().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let mut request = hyper::Request::get(&self.path)
            .header(hyper::header::HOST, &self.authority)
            .header(hyper::header::USER_AGENT, concat!("stackrun/", env!("CARGO_PKG_VERSION")))
            .header(hyper::header::CONNECTION, "close");
        for (name, value) in &self.headers {
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
        let status = response.map_err(|error| error.to_string())?.status();
        let expected = match self.status {
            Some(wanted) => status.as_u16() == wanted,
            None => status.is_success() || status.is_redirection(),
        };
        if expected { Ok(()) } else { Err(status.as_u16().to_string()) }
    }
}

impl LogSearch {
    /// Reads what was written since the last attempt.
    fn look(&mut self) -> Result<(), String> {
        if self.found {
            return Ok(());
        }
        let mut new = Vec::new();
        let read = std::fs::File::open(&self.log).and_then(|mut file| {
            // A log that got shorter was rotated: what is there now is all new.
            if file.metadata()?.len() < self.offset {
                self.offset = 0;
            }
            file.seek(SeekFrom::Start(self.offset))?;
            file.take(16 << 20).read_to_end(&mut new)
        });
        match read {
            Ok(length) => self.offset += length as u64,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(super::text::os_error(&error)),
        }
        self.partial.extend_from_slice(&new);
        self.found = self.partial.split(|byte| *byte == b'\n').any(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            !line.is_empty() && self.regex.is_match(line)
        });
        if let Some(end) = self.partial.iter().rposition(|byte| *byte == b'\n') {
            self.partial.drain(..=end);
        }
        if self.found { Ok(()) } else { Err("no such line yet".into()) }
    }
}

/// The parts of a URL that a check can ask.
pub(super) fn parse_url(url: &str) -> Result<(Endpoint, String, String), String> {
    let uri: hyper::Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some(scheme) => return Err(format!("{scheme} is not supported yet")),
        None => return Err(format!("{url}: no scheme")),
    }
    let host = uri.host().unwrap_or("localhost").trim_matches(['[', ']']).to_owned();
    let endpoint = Endpoint { host: Some(host), port: uri.port_u16().unwrap_or(80), owner: None };
    let authority = uri.authority().map_or_else(String::new, ToString::to_string);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Ok((endpoint, authority, path.to_owned()))
}

/// The environment of a check's command, ready for duct.
pub(super) type Environment = BTreeMap<String, String>;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

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
            authority: format!("localhost:{port}"),
            path: "/health?deep=1".into(),
            headers: vec![("X-Probe".into(), "yes".into())],
            status,
            label: "GET /health".into(),
        }))
    }

    async fn ask_http(address: &str, reply: &'static str, status: Option<u16>) -> ProbeAnswer {
        let listener = TcpListener::bind(address).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut attempt = http(port, status);
        let (seen, answer) = tokio::join!(answer(listener, reply), attempt.ask(SOON * 10));
        let seen = seen.to_lowercase();
        assert!(seen.starts_with("get /health?deep=1 http/1.1\r\n"), "{seen}");
        assert!(seen.contains(&format!("host: localhost:{port}\r\n")), "{seen}");
        assert!(seen.contains("x-probe: yes\r\n"), "{seen}");
        answer
    }

    fn fails(answer: &str) -> ProbeAnswer {
        ProbeAnswer::Fails { check: "GET /health".into(), answer: answer.into() }
    }

    #[tokio::test]
    async fn http_takes_success_and_redirection() {
        let ok = "HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(ask_http("127.0.0.1:0", ok, None).await, ProbeAnswer::Holds);
        let moved =
            "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(ask_http("127.0.0.1:0", moved, None).await, ProbeAnswer::Holds);
        let busy = "HTTP/1.0 503 Unavailable\r\n\r\n";
        assert_eq!(ask_http("127.0.0.1:0", busy, None).await, fails("503"));
    }

    #[tokio::test]
    async fn http_takes_only_the_status_that_was_asked_for() {
        let teapot = "HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(ask_http("127.0.0.1:0", teapot, Some(418)).await, ProbeAnswer::Holds);
        let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(ask_http("127.0.0.1:0", ok, Some(418)).await, fails("200"));
    }

    #[tokio::test]
    async fn a_server_on_ipv6_alone_is_found() {
        let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(ask_http("[::1]:0", ok, None).await, ProbeAnswer::Holds);
    }

    #[tokio::test]
    async fn silence_and_refusal_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(http(port, None).ask(SOON).await, fails("no answer within 200ms"));
        drop(listener);
        assert_eq!(http(port, None).ask(SOON).await, fails("connection refused"));
    }

    #[test]
    fn a_line_is_found_wherever_the_reads_cut_it() {
        let mut log = tempfile::NamedTempFile::new().unwrap();
        log.write_all(b"ready from before\n").unwrap();
        let regex = regex::bytes::Regex::new("^ready$").unwrap();
        let offset = log.as_file().metadata().unwrap().len();
        let path = log.path().to_owned();
        let mut search = LogSearch { log: path, offset, regex, partial: Vec::new(), found: false };
        assert!(search.look().is_err());
        for piece in ["not ready\nre", "ad", "y\r\nlater\n"] {
            assert!(search.look().is_err(), "before {piece:?}");
            log.write_all(piece.as_bytes()).unwrap();
        }
        assert_eq!(search.look(), Ok(()));
        assert_eq!(search.look(), Ok(()), "once found it stays found");
    }

    #[test]
    fn urls_are_taken_apart() {
        let (endpoint, authority, path) = parse_url("http://[::1]:81/a?b=c").unwrap();
        assert_eq!((endpoint.host.as_deref(), endpoint.port), (Some("::1"), 81));
        assert_eq!((authority.as_str(), path.as_str()), ("[::1]:81", "/a?b=c"));
        assert_eq!(parse_url("http://host").unwrap().0.port, 80);
        assert!(parse_url("/health").is_err());
    }
}
