//! One connection to a supervisor: how it is found, greeted, and had replaced.

use std::{
    io::{self, Read, Write},
    ops::Range,
    os::unix::net::UnixStream,
    time::Duration,
};

use super::{
    client::ClientError,
    obstacle::Obstacle,
    protocol::{Answer, Ask, MAX_MESSAGE, PROTOCOL, Reply, Request, too_long},
};
use crate::{
    event::Tick,
    keeper::{self, Launched, StaleState},
    platform::{self, Reached, StackPaths, Watched},
};

/// How long a supervisor may take to answer the handshake. It may be being restarted.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a keeper that is on its way up or down may keep a client waiting.
const SETTLE: Duration = Duration::from_secs(10);
/// How long anybody else may, who may be gone in a moment.
const PASSING: Duration = Duration::from_secs(2);
/// When it is looked up first what keeps a client waiting: most waits are over by then.
const FIRST_LOOK: Duration = Duration::from_millis(300);
/// The pause between two such looks.
const NEXT_LOOK: Duration = Duration::from_millis(200);
/// So many looks more are to find that a process is stopped: debuggers stop a process for moments.
const SURE: u32 = 2;
/// The pause between two attempts to connect.
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
    /// Its number, where it can be seen.
    pub(super) keeper_pid: Option<u32>,
    pub(super) version: String,
    pub(super) used: bool,
}

/// What is found where a stack's supervisor is to be reached.
enum Found {
    /// A peer that may answer, and the keeper, where it can be seen.
    Somebody(UnixStream, Option<u32>),
    /// The supervisor of a keeper that has died; no keeper holds the stack.
    Orphan,
    /// Nothing, and no keeper holds the stack.
    Nobody,
    /// Nothing, but a process holds the stack: on the way up or down, or out of reach. This other
    /// user may listen in its name.
    Held(Option<u32>),
}

impl Found {
    fn at(places: &StackPaths) -> Result<Self, ClientError> {
        let control = places.control();
        let found = match platform::reach(&control) {
            Reached::Keeper(stream, peer) => return Ok(Self::Somebody(stream, peer.pid)),
            found => found,
        };
        if let Some(_free) = places.lock()? {
            let is_orphan = matches!(found, Reached::Orphan);
            return Ok(if is_orphan { Self::Orphan } else { Self::Nobody });
        }
        Ok(match platform::reach_anywhere(&control) {
            Reached::Keeper(stream, peer) => Self::Somebody(stream, peer.pid),
            Reached::Stranger(user) => Self::Held(Some(user)),
            Reached::Orphan | Reached::Full | Reached::Nobody => Self::Held(None),
        })
    }
}

/// How long a command waits for others to come to their end, or their beginning.
struct Patience<'a> {
    places: &'a StackPaths,
    since: Tick,
    /// When to look again what keeps us waiting.
    look: Tick,
}

impl<'a> Patience<'a> {
    fn new(places: &'a StackPaths) -> Self {
        let since = platform::now();
        Self { places, since, look: since + FIRST_LOOK }
    }

    /// Waits a moment; fails once waiting is known to be useless, or after long enough. `listening`
    /// is another user who listens in the stack's name.
    fn wait(&mut self, listening: Option<u32>) -> Result<(), ClientError> {
        let now = platform::now();
        if now >= self.look {
            let obstacle = Obstacle::behind_lock(self.places, listening);
            let patience = match &obstacle {
                // A keeper on its way up listens in the end.
                Obstacle::Deaf { .. } => SETTLE,
                obstacle if obstacle.may_pass() => PASSING,
                _ => Duration::ZERO,
            };
            if now.since(self.since) >= patience {
                return Err(obstacle.into());
            }
            self.look = now + NEXT_LOOK;
        }
        std::thread::sleep(PAUSE);
        Ok(())
    }

    /// Gives the supervisor of a keeper that has died a moment to have another one started, which
    /// it tells all that it knows; whether it may still do so.
    fn wait_for_orphan(&self) -> bool {
        std::thread::sleep(PAUSE);
        platform::now().since(self.since) < PASSING
    }
}

/// What is done about a stack whose keeper was killed, and its supervisor with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Orphaned {
    /// A keeper is started, which continues with what was wanted.
    TakeOver,
    /// The same, if anything of it lives: to ask how a stack is starts nothing.
    TakeOverTheLiving,
}

impl Orphaned {
    fn is_taken_over(self, remains: StaleState) -> bool {
        match remains {
            StaleState::Nothing => false,
            StaleState::Dead => self == Self::TakeOver,
            StaleState::Living => true,
        }
    }
}

impl Wire {
    /// Connects; `None` if no keeper holds the stack.
    pub(super) fn connect(
        places: &StackPaths,
        orphaned: Orphaned,
    ) -> Result<Option<Self>, ClientError> {
        let mut patience = Patience::new(places);
        loop {
            match Found::at(places)? {
                Found::Somebody(stream, keeper) => match Self::greet(stream, keeper) {
                    // It died, or is on its way down.
                    Err(ClientError::Gone) => patience.wait(None)?,
                    other => return other.map(Some),
                },
                Found::Orphan if patience.wait_for_orphan() => {}
                Found::Orphan | Found::Nobody => {
                    if !orphaned.is_taken_over(StaleState::of(places)) {
                        return Ok(None);
                    }
                    launch(places, &mut patience)?;
                }
                Found::Held(listening) => patience.wait(listening)?,
            }
        }
    }

    /// Connects, if need be to a supervisor that is started for it.
    pub(super) fn connect_or_launch(places: &StackPaths) -> Result<Self, ClientError> {
        let mut patience = Patience::new(places);
        loop {
            match Self::connect_to_newest(places)? {
                Some(wire) => return Ok(wire),
                None => launch(places, &mut patience)?,
            }
        }
    }

    /// Connects; one of an older version goes on as this program. `None` if no keeper holds the
    /// stack.
    pub(super) fn connect_to_newest(places: &StackPaths) -> Result<Option<Self>, ClientError> {
        match Self::connect(places, Orphaned::TakeOverTheLiving) {
            Ok(Some(wire)) if is_older(&wire.version) => Self::upgrade(places),
            Err(ClientError::Version { version }) if is_older(&version) => Self::upgrade(places),
            other => other,
        }
    }

    /// Has this program take the place of the one that holds the stack; `None` if none does.
    pub(super) fn upgrade(places: &StackPaths) -> Result<Option<Self>, ClientError> {
        let program = platform::own_program_file()?;
        let mut patience = Patience::new(places);
        loop {
            match Found::at(places)? {
                Found::Somebody(stream, keeper) => {
                    let mut old = Self::new(stream, keeper);
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
                Found::Orphan if patience.wait_for_orphan() => {}
                // Who takes over is of this program, too.
                Found::Orphan | Found::Nobody => {
                    if StaleState::of(places) != StaleState::Living {
                        return Ok(None);
                    }
                    launch(places, &mut patience)?;
                }
                Found::Held(listening) => patience.wait(listening)?,
            }
        }
    }

    pub(super) fn new(stream: UnixStream, keeper: Option<u32>) -> Self {
        Self {
            stream,
            unread: Vec::new(),
            taken: 0,
            scanned: 0,
            last_id: 0,
            supervisor: 0,
            keeper: keeper.map_or_else(Watched::none, Watched::open),
            keeper_pid: keeper,
            version: String::new(),
            used: false,
        }
    }

    fn greet(stream: UnixStream, keeper: Option<u32>) -> Result<Self, ClientError> {
        let mut wire = Self::new(stream, keeper);
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
                // The connection is alive, so the number still means the keeper, unless it is of
                // another namespace of processes.
                if !platform::PEERS_HAVE_NUMBERS {
                    wire.keeper = Watched::open(keeper);
                    wire.keeper_pid = Some(keeper);
                }
                wire.supervisor = pid;
                wire.version = version;
                wire.used = used;
                Ok(wire)
            }
            Reply::Error { message } => Err(ClientError::Refused(message)),
            _ => Err(ClientError::Gone),
        }
    }

    /// The answer to a handshake. A stopped process is waited for no longer than it takes to be
    /// sure.
    fn first_answer(&mut self) -> Result<Answer, ClientError> {
        let since = platform::now();
        let mut stands_still = 0;
        while platform::now().since(since) < HANDSHAKE {
            if let Some(answer) = self.next(Some(NEXT_LOOK))? {
                return Ok(answer);
            }
            match self.obstacle() {
                Some(obstacle) if stands_still == SURE => return Err(obstacle.into()),
                Some(_) => stands_still += 1,
                None => stands_still = 0,
            }
        }
        Err(Obstacle::silence(self.keeper_pid).into())
    }

    /// What keeps the other side from answering, if it can be told.
    pub(super) fn obstacle(&self) -> Option<Obstacle> {
        Obstacle::before_keeper(self.keeper_pid?)
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
                    | io::ErrorKind::Interrupted => return self.silence(),
                    _ => return Err(gone(error)),
                },
            }
        }
    }

    /// Nothing was said for a while. Where the keeper has died nothing will be: its supervisor hangs
    /// up, unless it is stopped.
    fn silence(&self) -> Result<Option<Answer>, ClientError> {
        let has_died = self.keeper_pid.is_some() && self.keeper.wait(Duration::ZERO)?;
        if has_died { Err(ClientError::Gone) } else { Ok(None) }
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

/// Starts a keeper, unless another one holds the stack by now.
fn launch(places: &StackPaths, patience: &mut Patience<'_>) -> Result<(), ClientError> {
    match keeper::launch(places, &platform::own_program()?)? {
        Launched::Ready => Ok(()),
        Launched::Held => patience.wait(None),
    }
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
