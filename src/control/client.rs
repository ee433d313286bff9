//! The command line's end of the control socket: one blocking connection.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use super::protocol::{Answer, Ask, Left, PROTOCOL, Reply, Request};
use crate::{
    keeper::{self, LaunchError, Launched},
    platform::{self, Places, PlacesError, Watched},
    supervisor::{Command, Outcome, Until},
};

/// How long a supervisor may take to answer the handshake. It may be being restarted.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a keeper that is on its way up or down may keep a client waiting.
const SETTLE: Duration = Duration::from_secs(10);

/// Why the supervisor could not be talked to.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The system refused something.
    #[error("cannot talk to the supervisor: {0}")]
    Io(#[from] io::Error),
    /// What came back is not a message.
    #[error("the supervisor's answer makes no sense: {0}")]
    Garbled(#[from] serde_json::Error),
    /// The supervisor ended before it answered.
    #[error("the supervisor went away before it answered")]
    Gone,
    /// It speaks another version of the protocol.
    #[error("the running supervisor is version {version}, this is {}", env!("CARGO_PKG_VERSION"))]
    Version {
        /// The supervisor's version.
        version: String,
    },
    /// Its folders cannot be used.
    #[error(transparent)]
    Places(#[from] PlacesError),
    /// It could not be started.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// Somebody holds the stack, and does not answer.
    #[error("the stack is held by a keeper that does not answer")]
    Held,
    /// It refused the request.
    #[error("{0}")]
    Refused(String),
}

/// A connection to the supervisor of one stack.
#[derive(Debug)]
pub struct Client {
    places: Places,
    wire: Wire,
    /// The request that takes time, until it is answered for good.
    pending: Option<Pending>,
}

/// A request that must get its answer even if the supervisor dies meanwhile.
#[derive(Debug)]
struct Pending {
    id: u64,
    request: Request,
    /// Whether the supervisor has begun with it.
    begun: bool,
}

impl Client {
    /// Connects to the supervisor of the stack in `dir`; `None` if nothing is running.
    ///
    /// # Errors
    /// Anything but "nothing is running".
    pub fn connect(dir: &Path) -> Result<Option<Self>, ClientError> {
        let places = Places::of(dir)?;
        // One that was just started by somebody else, who has not asked for anything yet.
        let wire = Wire::connect(&places)?.filter(|wire| wire.used);
        Ok(wire.map(|wire| Self { places, wire, pending: None }))
    }

    /// Connects to the supervisor of the stack in `dir`, starting one if there is none.
    ///
    /// # Errors
    /// It could be neither reached nor started.
    pub fn connect_or_launch(dir: &Path) -> Result<Self, ClientError> {
        let places = Places::of(dir)?;
        let wire = Wire::connect_or_launch(&places)?;
        Ok(Self { places, wire, pending: None })
    }

    /// The supervisor's process.
    pub fn supervisor(&self) -> u32 {
        self.wire.supervisor
    }

    /// The supervisor's version.
    pub fn version(&self) -> &str {
        &self.wire.version
    }

    /// Sends a request; its answers carry the number that is returned.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub fn ask(&mut self, request: Request) -> Result<u64, ClientError> {
        let id = self.wire.next_id();
        if matches!(request, Request::Do { .. }) {
            self.pending = Some(Pending { id, request: request.clone(), begun: false });
        }
        match self.wire.send(id, request) {
            // It is sent again, once somebody is there to take it.
            Err(ClientError::Gone) if self.pending.is_some() => Ok(id),
            result => result.map(|()| id),
        }
    }

    /// The next answer; `None` when `timeout` ran out or a signal came first. A supervisor that
    /// dies is waited for, and asked again for what it had not finished.
    ///
    /// # Errors
    /// The supervisor is gone, or what it sent is no message.
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Option<Answer>, ClientError> {
        match self.wire.next(timeout) {
            Err(ClientError::Gone) => match self.pending.take() {
                Some(pending) => self.resume(pending),
                None => Err(ClientError::Gone),
            },
            Ok(Some(answer)) => {
                self.note_progress(&answer);
                Ok(Some(answer))
            }
            other => other,
        }
    }

    fn note_progress(&mut self, answer: &Answer) {
        let done = matches!(answer.reply, Reply::Outcome { .. } | Reply::Error { .. });
        match &mut self.pending {
            Some(pending) if pending.id == answer.id && !done => pending.begun = true,
            Some(pending) if pending.id == answer.id => self.pending = None,
            Some(_) | None => {}
        }
    }

    /// Finds the next supervisor and asks it for what the last one had not finished.
    fn resume(&mut self, pending: Pending) -> Result<Option<Answer>, ClientError> {
        let Pending { id, request, begun } = pending;
        let wire = match Wire::connect(&self.places)? {
            Some(wire) => wire,
            None if is_down(&request) => return Ok(Some(nothing_left(id))),
            None if begun => return Err(ClientError::Gone),
            None => Wire::connect_or_launch(&self.places)?,
        };
        self.wire = wire;
        self.wire.last_id = id;
        let request = if begun { go_on(request) } else { request };
        self.wire.send(id, request.clone())?;
        self.pending = Some(Pending { id, request, begun });
        Ok(None)
    }

    /// Sends a request and waits for its first answer.
    ///
    /// # Errors
    /// The supervisor is gone, or refuses.
    pub fn call(&mut self, request: Request) -> Result<Reply, ClientError> {
        let id = self.ask(request)?;
        loop {
            match self.next(None)? {
                Some(answer) if answer.id == id => match answer.reply {
                    Reply::Error { message } => return Err(ClientError::Refused(message)),
                    reply => return Ok(reply),
                },
                Some(_) | None => {}
            }
        }
    }

    /// Waits until the keeper, and with it the last process of the stack, has ended.
    ///
    /// # Errors
    /// It has not after `timeout`.
    pub fn wait_down(self, timeout: Duration) -> Result<(), ClientError> {
        let Wire { stream, keeper, .. } = self.wire;
        drop(stream);
        if keeper.wait(timeout)? { Ok(()) } else { Err(ClientError::Gone) }
    }
}

fn is_down(request: &Request) -> bool {
    matches!(request, Request::Do { command: Command::Down { .. }, .. })
}

/// What is left to ask for when a supervisor died that had begun: `up` and `down` say where to
/// get to, but a second `restart` or `run` would do the work twice.
fn go_on(request: Request) -> Request {
    let Request::Do { command, line, follow, foreground, take_ports, .. } = request else {
        return request;
    };
    let command = match command {
        Command::Restart { names, .. } => Command::Wait { names, until: Until::Ready },
        Command::Run { task, .. } => Command::Wait { names: vec![task], until: Until::Done },
        same @ (Command::Up { .. } | Command::Down { .. } | Command::Wait { .. }) => same,
    };
    Request::Do { command, line, env: None, follow, foreground, take_ports }
}

fn nothing_left(id: u64) -> Answer {
    let left = Left { processes: Vec::new(), ports: Vec::new(), proved: false };
    Answer { id, reply: Reply::Outcome { outcome: Outcome::default(), left: Some(left) } }
}

/// One connection, as long as it lasts.
#[derive(Debug)]
struct Wire {
    stream: UnixStream,
    unread: Vec<u8>,
    scanned: usize,
    last_id: u64,
    supervisor: u32,
    keeper: Watched,
    version: String,
    used: bool,
}

impl Wire {
    fn connect(places: &Places) -> Result<Option<Self>, ClientError> {
        let Some(stream) = open(places)? else { return Ok(None) };
        match Self::greet(stream) {
            // It was on its way down: nothing is running any more.
            Err(ClientError::Gone) => Ok(None),
            other => other.map(Some),
        }
    }

    fn connect_or_launch(places: &Places) -> Result<Self, ClientError> {
        let deadline = platform::now() + SETTLE;
        loop {
            if let Some(wire) = Self::connect(places)? {
                return Ok(wire);
            }
            // Somebody else may hold the stack without answering yet: on the way up, or down.
            match keeper::launch(places, &platform::own_program()?)? {
                Launched::Ready => {}
                Launched::Held if platform::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Launched::Held => return Err(ClientError::Held),
            }
        }
    }

    fn greet(stream: UnixStream) -> Result<Self, ClientError> {
        let mut wire = Self {
            stream,
            unread: Vec::new(),
            scanned: 0,
            last_id: 0,
            supervisor: 0,
            keeper: Watched::open(0),
            version: String::new(),
            used: false,
        };
        let hello = Request::Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
        };
        let id = wire.next_id();
        wire.send(id, hello)?;
        match wire.first_answer()?.reply {
            Reply::Hello { protocol, version, pid, keeper, used } => {
                if protocol != PROTOCOL {
                    return Err(ClientError::Version { version });
                }
                // The connection is alive, so the number still means the keeper.
                wire.keeper = Watched::open(keeper);
                wire.supervisor = pid;
                wire.version = version;
                wire.used = used;
                Ok(wire)
            }
            Reply::Error { message } => Err(ClientError::Refused(message)),
            _ => Err(ClientError::Gone),
        }
    }

    fn first_answer(&mut self) -> Result<Answer, ClientError> {
        let deadline = platform::now() + HANDSHAKE;
        loop {
            let left = deadline.since(platform::now());
            if left.is_zero() {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
            if let Some(answer) = self.next(Some(left))? {
                return Ok(answer);
            }
        }
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn send(&mut self, id: u64, request: Request) -> Result<(), ClientError> {
        let mut bytes = serde_json::to_vec(&Ask { id, request })?;
        bytes.push(b'\n');
        self.stream.write_all(&bytes).map_err(gone)
    }

    fn next(&mut self, timeout: Option<Duration>) -> Result<Option<Answer>, ClientError> {
        // A zero time-out would mean "for ever" to the system.
        let timeout = timeout.map(|timeout| timeout.max(Duration::from_millis(1)));
        loop {
            if let Some(line) = self.take_line() {
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            self.stream.set_read_timeout(timeout)?;
            let mut chunk = [0; 65_536];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(ClientError::Gone),
                Ok(length) => self.unread.extend_from_slice(&chunk[..length]),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock
                    | io::ErrorKind::TimedOut
                    | io::ErrorKind::Interrupted => return Ok(None),
                    _ => return Err(gone(error)),
                },
            }
        }
    }

    fn take_line(&mut self) -> Option<Vec<u8>> {
        let end = self.unread[self.scanned..].iter().position(|byte| *byte == b'\n');
        let Some(end) = end.map(|end| end + self.scanned) else {
            self.scanned = self.unread.len();
            return None;
        };
        let rest = self.unread.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.unread, rest);
        line.pop();
        self.scanned = 0;
        Some(line)
    }
}

fn gone(error: io::Error) -> ClientError {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ClientError::Gone,
        _ => ClientError::Io(error),
    }
}

/// Connects; `None` if nobody listens.
fn open(places: &Places) -> io::Result<Option<UnixStream>> {
    match UnixStream::connect(places.socket()) {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Ok(None),
            _ => Err(error),
        },
    }
}
