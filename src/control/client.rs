//! The command line's end of the control socket: one blocking connection.

use std::{io, time::Duration};

use super::{
    obstacle::Obstacle,
    protocol::{Answer, Job, Left, Reply, Request},
    wire::{Orphaned, Wire},
};
use crate::{
    core::stack::{Command, Outcome, Until},
    keeper::{LaunchError, StaleState},
    platform::{StackPaths, StackPathsError},
    status::ServiceState,
};

/// How many supervisors in a row may go away before they have answered a question.
const SUCCESSORS: usize = 20;

/// How long a question may go without an answer before it is looked whether there can be one.
const LOOK: Duration = Duration::from_secs(1);

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
    StackPaths(#[from] StackPathsError),
    /// It could not be started.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The stack is held, and its supervisor cannot be reached.
    #[error("{0}")]
    Unreachable(Box<Obstacle>),
    /// It refused the request.
    #[error("{0}")]
    Refused(String),
}

impl From<Obstacle> for ClientError {
    fn from(obstacle: Obstacle) -> Self {
        Self::Unreachable(Box::new(obstacle))
    }
}

/// A connection to the supervisor of one stack.
#[derive(Debug)]
pub struct Client {
    places: StackPaths,
    wire: Wire,
    /// Whether a supervisor is started where there is none any more.
    launches: bool,
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
    /// Connects to the supervisor of a stack; `None` if nothing is running. Nothing is
    /// started, unless what runs has lost its keeper.
    ///
    /// # Errors
    /// Anything but "nothing is running".
    pub fn connect(places: &StackPaths) -> Result<Option<Self>, ClientError> {
        Self::connect_if_used(places, Orphaned::TakeOverTheLiving)
    }

    /// The same for the `down` of everything: what was wanted when its holder was killed is wanted
    /// no more, though nothing of it lives.
    ///
    /// # Errors
    /// Anything but "nothing is running".
    pub fn connect_to_end(places: &StackPaths) -> Result<Option<Self>, ClientError> {
        let client = Self::connect_if_used(places, Orphaned::TakeOver)?;
        if client.is_none() {
            places.tidy_runtime()?;
        }
        Ok(client)
    }

    fn connect_if_used(
        places: &StackPaths,
        orphaned: Orphaned,
    ) -> Result<Option<Self>, ClientError> {
        // One that another command has just started and not asked for anything yet.
        let wire = Wire::connect(places, orphaned)?.filter(|wire| wire.used);
        Ok(wire.map(|wire| Self { places: places.clone(), wire, launches: false, pending: None }))
    }

    /// Connects to the supervisor of a stack, starting one if there is none, and going
    /// on as this program if it is an older version.
    ///
    /// # Errors
    /// It could be neither reached nor started.
    pub fn connect_or_launch(places: &StackPaths) -> Result<Self, ClientError> {
        let wire = Wire::connect_or_launch(places)?;
        Ok(Self { places: places.clone(), wire, launches: true, pending: None })
    }

    /// Connects for what changes the stack: an older version is replaced by this program first.
    /// `None` if nothing is running.
    ///
    /// # Errors
    /// Anything but "nothing is running".
    pub fn connect_to_newest(places: &StackPaths) -> Result<Option<Self>, ClientError> {
        let wire = Wire::connect_to_newest(places)?.filter(|wire| wire.used);
        Ok(wire.map(|wire| Self { places: places.clone(), wire, launches: false, pending: None }))
    }

    /// Has this program take the place of whatever version holds a stack, which
    /// restarts no service; `None` if nothing is running.
    ///
    /// # Errors
    /// It could not be reached, or could not be replaced by this program.
    pub fn upgrade(places: &StackPaths) -> Result<Option<Self>, ClientError> {
        let wire = Wire::upgrade(places)?;
        Ok(wire.map(|wire| Self { places: places.clone(), wire, launches: false, pending: None }))
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
        if matches!(request, Request::Do(_)) {
            self.pending = Some(Pending { id, request: request.clone(), begun: false });
        }
        match self.wire.send(id, request) {
            // It is sent again, once a supervisor is there to take it.
            Err(ClientError::Gone) if self.pending.is_some() => Ok(id),
            result => result.map(|()| id),
        }
    }

    /// The next answer; `None` when `timeout` ran out or a signal came first. A supervisor that
    /// dies is waited for, and asked again for what it had not finished; but for a `run`: whether
    /// that is over is for who asked to find out.
    ///
    /// # Errors
    /// The supervisor is gone, or what it sent is no message.
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Option<Answer>, ClientError> {
        match self.wire.next(timeout) {
            Err(ClientError::Gone) => match self.pending.take() {
                Some(pending) if !is_run(&pending.request) => self.resume(pending),
                Some(_) | None => Err(ClientError::Gone),
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
        let wire = match Wire::connect(&self.places, Orphaned::TakeOver)? {
            Some(wire) => wire,
            None if is_down(&request) => return Ok(Some(nothing_left(id, &self.places))),
            None if begun => return Err(ClientError::Gone),
            None => Wire::connect_or_launch(&self.places)?,
        };
        self.wire = wire;
        self.wire.last_id = id;
        let sent = self.ask_again(id, request.clone(), begun);
        self.pending = Some(Pending { id, request, begun });
        match sent {
            // This one died, too: the next look finds its successor.
            Ok(()) | Err(ClientError::Gone) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn ask_again(&mut self, id: u64, request: Request, begun: bool) -> Result<(), ClientError> {
        let request = if begun { go_on(self.with_names(request)?) } else { request };
        self.wire.send(id, request)
    }

    /// The restart of everything that runs, by name: not all may have been running.
    fn with_names(&mut self, mut request: Request) -> Result<Request, ClientError> {
        if let Request::Do(Job { command: Command::Restart { names, .. }, .. }) = &mut request
            && names.is_empty()
            && let Reply::Status { status } = self.call_once(Request::Status)?
        {
            let running = status.services.into_iter();
            let running = running.filter(|service| service.state != ServiceState::Idle);
            names.extend(running.map(|service| service.name));
        }
        Ok(request)
    }

    /// Sends a question and waits for its answer; a supervisor that dies meanwhile is waited for,
    /// and its successor asked.
    ///
    /// # Errors
    /// The supervisor is gone for good, or refuses.
    pub fn call(&mut self, request: Request) -> Result<Reply, ClientError> {
        // Each may be on its way down, and so may its successor be.
        for _ in 0..SUCCESSORS {
            match self.call_once(request.clone()) {
                Err(ClientError::Gone) => self.find_successor()?,
                result => return result,
            }
        }
        self.call_once(request)
    }

    fn find_successor(&mut self) -> Result<(), ClientError> {
        let last_id = self.wire.last_id;
        self.wire = match Wire::connect(&self.places, Orphaned::TakeOver)? {
            Some(wire) => wire,
            // It was on its way down.
            None if self.launches => Wire::connect_or_launch(&self.places)?,
            None => return Err(ClientError::Gone),
        };
        self.wire.last_id = last_id;
        Ok(())
    }

    fn call_once(&mut self, request: Request) -> Result<Reply, ClientError> {
        let id = self.ask(request)?;
        let mut stands_still = false;
        loop {
            match self.next(Some(LOOK))? {
                // The keeper is not asked.
                None => match self.wire.keeper_pid.and_then(Obstacle::before_supervisor) {
                    Some(obstacle) if stands_still => return Err(obstacle.into()),
                    found => stands_still = found.is_some(),
                },
                Some(answer) if answer.id == id => match answer.reply {
                    Reply::Error { message } => return Err(ClientError::Refused(message)),
                    reply => return Ok(reply),
                },
                Some(_) => {}
            }
        }
    }

    /// What keeps the stack from doing what it is asked for, if that can be told: a process that
    /// stands still.
    pub fn obstacle(&self) -> Option<Obstacle> {
        self.wire.obstacle()
    }

    /// Waits until the keeper, and with it the last process of the stack, has ended.
    ///
    /// # Errors
    /// It has not after `timeout`.
    pub fn wait_down(self, timeout: Duration) -> Result<(), ClientError> {
        if self.wire.hang_up().wait(timeout)? { Ok(()) } else { Err(ClientError::Gone) }
    }
}

fn is_down(request: &Request) -> bool {
    matches!(request, Request::Do(Job { command: Command::Down { .. }, .. }))
}

/// What is left to ask for when a supervisor died that had begun: `up` and `down` say where to
/// get to, but a second `restart` would do the work twice.
fn go_on(request: Request) -> Request {
    let Request::Do(job) = request else { return request };
    let command = match job.command {
        Command::Restart { names, .. } => Command::Wait { names, until: Until::Ready },
        same @ (Command::Up { .. }
        | Command::Down { .. }
        | Command::Run { .. }
        | Command::Wait { .. }) => same,
    };
    Request::Do(Job { command, env: None, ..job })
}

fn is_run(request: &Request) -> bool {
    matches!(request, Request::Do(Job { command: Command::Run { .. }, .. }))
}

/// The answer of a supervisor that has ended before it could give it. Nothing of the stack was found
/// when its successor was looked for.
fn nothing_left(id: u64, places: &StackPaths) -> Answer {
    let (_, unproved) = StaleState::and_unproved(places);
    let left = Left { processes: Vec::new(), ports: Vec::new(), proved: false, unproved };
    Answer {
        id,
        reply: Reply::Outcome { outcome: Outcome::default(), left: Some(left), status: None },
    }
}
