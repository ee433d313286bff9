//! One connection to a supervisor: how it is found, greeted, and had replaced.

use std::{
    io::{self, Read, Write},
    ops::Range,
    os::unix::net::UnixStream,
    time::Duration,
};

use super::{
    client::ClientError,
    protocol::{Answer, Ask, MAX_MESSAGE, PROTOCOL, Reply, Request, too_long},
};
use crate::{
    event::Tick,
    keeper::{self, Launched, Remains},
    platform::{self, Places, Watched},
};

/// How long a supervisor may take to answer the handshake. It may be being restarted.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a keeper that is on its way up or down may keep a client waiting.
const SETTLE: Duration = Duration::from_secs(10);
/// The pause between two looks at one.
const PAUSE: Duration = Duration::from_millis(10);

/// One connection, as long as it lasts.
#[derive(Debug)]
pub(super) struct Wire {
    stream: UnixStream,
    unread: Vec<u8>,
    /// How much of it has been taken, and how much has no end of a line after that.
    taken: usize,
    scanned: usize,
    pub(super) last_id: u64,
    pub(super) supervisor: u32,
    pub(super) keeper: Watched,
    pub(super) version: String,
    pub(super) used: bool,
}

/// What is found at a stack's socket.
enum Found {
    /// Somebody who may answer.
    Somebody(UnixStream),
    /// The socket of a keeper that was killed.
    Dead,
    /// Nothing, and nobody holds the stack.
    Nobody,
    /// Nothing, but somebody holds the stack: on the way up, or about to make its socket anew.
    Held,
}

impl Found {
    fn at(places: &Places) -> Result<Self, ClientError> {
        match UnixStream::connect(places.socket()) {
            Ok(stream) => Ok(Self::Somebody(stream)),
            Err(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => Ok(Self::Dead),
                io::ErrorKind::NotFound => match platform::lock_folder(&places.folder)? {
                    Some(_free) => Ok(Self::Nobody),
                    None => match other_user(places) {
                        Some(user) => Err(ClientError::OtherUser { user }),
                        None => Ok(Self::Held),
                    },
                },
                _ => Err(error.into()),
            },
        }
    }
}

/// What is done about a stack whose keeper was killed, and its supervisor with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Orphaned {
    /// Somebody is started to go on with what was wanted.
    TakeOver,
    /// The same, if anything of it lives: to ask how a stack is starts nothing.
    TakeOverTheLiving,
}

impl Orphaned {
    fn is_taken_over(self, remains: Remains) -> bool {
        match remains {
            Remains::Nothing => false,
            Remains::Dead => self == Self::TakeOver,
            Remains::Living => true,
        }
    }
}

impl Wire {
    /// Connects; `None` if nobody holds the stack.
    pub(super) fn connect(
        places: &Places,
        orphaned: Orphaned,
    ) -> Result<Option<Self>, ClientError> {
        let deadline = platform::now() + SETTLE;
        loop {
            match Found::at(places)? {
                Found::Somebody(stream) => match Self::greet(stream) {
                    // It died, or is on its way down: then its socket goes, too.
                    Err(ClientError::Gone) => pause(places, deadline)?,
                    // Whoever could answer is not there, or hangs.
                    Err(ClientError::Io(error)) if error.kind() == io::ErrorKind::TimedOut => {
                        let keeper = platform::lock_holder(&places.folder);
                        return Err(ClientError::Held { keeper });
                    }
                    other => return other.map(Some),
                },
                Found::Dead if orphaned.is_taken_over(Remains::of(places)) => {
                    launch(places, deadline)?;
                }
                Found::Dead => match platform::lock_folder(&places.folder)? {
                    Some(_free) => return Ok(None),
                    // Somebody is on the way up.
                    None => pause(places, deadline)?,
                },
                Found::Nobody => return Ok(None),
                Found::Held => pause(places, deadline)?,
            }
        }
    }

    /// Connects, if need be to a supervisor that is started for it.
    pub(super) fn connect_or_launch(places: &Places) -> Result<Self, ClientError> {
        let deadline = platform::now() + SETTLE;
        loop {
            match Self::connect_to_newest(places)? {
                Some(wire) => return Ok(wire),
                None => launch(places, deadline)?,
            }
        }
    }

    /// Connects; one of an older version goes on as this program. `None` if nobody holds the
    /// stack.
    pub(super) fn connect_to_newest(places: &Places) -> Result<Option<Self>, ClientError> {
        match Self::connect(places, Orphaned::TakeOverTheLiving) {
            Ok(Some(wire)) if is_older(&wire.version) => Self::upgrade(places),
            Err(ClientError::Version { version }) if is_older(&version) => Self::upgrade(places),
            other => other,
        }
    }

    /// Has this program go on in the place of whoever holds the stack; `None` if nobody does.
    pub(super) fn upgrade(places: &Places) -> Result<Option<Self>, ClientError> {
        let program = platform::own_program_file()?;
        let deadline = platform::now() + SETTLE;
        loop {
            match Found::at(places)? {
                Found::Somebody(stream) => {
                    let mut old = Self::new(stream);
                    let id = old.next_id();
                    old.send(id, Request::Upgrade { program })?;
                    return match old.first_answer() {
                        // It has hung up: the next one to answer is of this program.
                        Err(ClientError::Gone) => Self::connect(places, Orphaned::TakeOver),
                        Err(error) => Err(error),
                        Ok(Answer { reply: Reply::Error { message }, .. }) => {
                            Err(ClientError::Refused(message))
                        }
                        Ok(_) => Err(ClientError::Gone),
                    };
                }
                // Who takes over is of this program, too.
                Found::Dead if Remains::of(places) == Remains::Living => launch(places, deadline)?,
                Found::Dead | Found::Nobody => return Ok(None),
                Found::Held => pause(places, deadline)?,
            }
        }
    }

    fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            unread: Vec::new(),
            taken: 0,
            scanned: 0,
            last_id: 0,
            supervisor: 0,
            keeper: Watched::open(0),
            version: String::new(),
            used: false,
        }
    }

    fn greet(stream: UnixStream) -> Result<Self, ClientError> {
        let mut wire = Self::new(stream);
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

    /// Hangs up; the keeper, to be waited for.
    pub(super) fn hang_up(self) -> Watched {
        self.keeper
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn send(&mut self, id: u64, request: Request) -> Result<(), ClientError> {
        let mut bytes = serde_json::to_vec(&Ask { id, request })?;
        bytes.push(b'\n');
        if bytes.len() > MAX_MESSAGE {
            return Err(ClientError::Refused(too_long(MAX_MESSAGE)));
        }
        self.stream.write_all(&bytes).map_err(gone)
    }

    pub(super) fn next(
        &mut self,
        timeout: Option<Duration>,
    ) -> Result<Option<Answer>, ClientError> {
        // A zero time-out would mean "for ever" to the system.
        let timeout = timeout.map(|timeout| timeout.max(Duration::from_millis(1)));
        loop {
            if let Some(line) = self.take_line() {
                return Ok(Some(serde_json::from_slice(&self.unread[line])?));
            }
            // Once a read, not once a line: what is left is moved to the front.
            self.unread.drain(..self.taken);
            (self.scanned, self.taken) = (self.scanned - self.taken, 0);
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

    /// Where the next line is, once all of it has come.
    fn take_line(&mut self) -> Option<Range<usize>> {
        let Some(end) = memchr::memchr(b'\n', &self.unread[self.scanned..]) else {
            self.scanned = self.unread.len();
            return None;
        };
        let line = self.taken..self.scanned + end;
        self.taken = line.end + 1;
        self.scanned = self.taken;
        Some(line)
    }
}

fn gone(error: io::Error) -> ClientError {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ClientError::Gone,
        _ => ClientError::Io(error),
    }
}

/// Starts a keeper, unless somebody holds the stack by now.
fn launch(places: &Places, deadline: Tick) -> Result<(), ClientError> {
    match keeper::launch(places, &platform::own_program()?)? {
        Launched::Ready => Ok(()),
        Launched::Held => pause(places, deadline),
    }
}

/// The user who holds the stack, if that is not us. The sockets of each are where nobody else
/// may look.
fn other_user(places: &Places) -> Option<String> {
    let holder = platform::describe(platform::lock_holder(&places.folder)?)?;
    Some(holder.user).filter(|user| *user != platform::user_name(platform::own_uid()))
}

/// Gives somebody else a moment, but not for ever.
fn pause(places: &Places, deadline: Tick) -> Result<(), ClientError> {
    if platform::now() >= deadline {
        return Err(ClientError::Held { keeper: platform::lock_holder(&places.folder) });
    }
    std::thread::sleep(PAUSE);
    Ok(())
}

/// Whether this program is a later version.
fn is_older(version: &str) -> bool {
    let numbers = |version: &str| -> Vec<u64> {
        version.split(['.', '-', '+']).map_while(|number| number.parse().ok()).collect()
    };
    numbers(version) < numbers(env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_their_numbers() {
        assert!(is_older("0.0.9"));
        assert!(!is_older(env!("CARGO_PKG_VERSION")));
        assert!(!is_older("100.0.0"));
    }
}
