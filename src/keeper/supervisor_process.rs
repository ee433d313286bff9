//! The thread that keeps a supervisor alive.
//!
//! It does so in a thread of its own for two reasons: it may simply block; and the supervisor is
//! then no child of the main thread, so that the kernel itself can say of all the others that
//! none is left.

use std::{
    ffi::{CString, OsString},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{Arc, Condvar, Mutex, PoisonError, mpsc::Sender},
    time::Duration,
};

use super::framing::{CONNECTION, CONTROL};
use crate::platform::{self, Launch, StackDir, StackPaths, Waker};

/// The first pause before a supervisor that soon died is started again; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A supervisor that has lived for so long was well: the next one is started at once.
const WELL: Duration = Duration::from_secs(1);

/// Open to the next supervisor, but not while the stack is being ended.
#[derive(Debug, Default)]
pub(super) struct Gate {
    is_closed: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub(super) fn close(&self) {
        *self.is_closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    pub(super) fn open(&self) {
        *self.is_closed.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.opened.notify_all();
    }

    /// Waits until it is open.
    fn pass(&self) {
        let closed = self.is_closed.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.opened.wait_while(closed, |is_closed| *is_closed));
    }
}

/// Where connections to supervisors are handed in.
#[derive(Debug, Clone)]
pub struct Offer {
    lines: Sender<UnixStream>,
    waker: Arc<Waker>,
    gate: Arc<Gate>,
}

impl Offer {
    pub(super) fn new(lines: Sender<UnixStream>, waker: Arc<Waker>, gate: Arc<Gate>) -> Self {
        Self { lines, waker, gate }
    }

    /// From now on the keeper listens to this connection, and to no earlier one.
    pub fn connect(&self, stream: UnixStream) {
        let _keeper_has_ended = self.lines.send(stream);
        self.waker.wake();
    }
}

/// Has a supervisor run whenever the gate is open, by `one`, which returns when one has ended. It
/// ends with its process.
pub(super) fn keep_alive(mut one: impl FnMut(&Offer) -> io::Result<()>, offer: &Offer) {
    let mut pause = FIRST_PAUSE;
    loop {
        offer.gate.pass();
        let started = platform::now();
        // A start that fails is tried again like one that ends at once: there is no supervisor to tell.
        let _failed = one(offer);
        if platform::now().since(started) >= WELL {
            pause = FIRST_PAUSE;
        } else {
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Runs this same program as the supervisor, to its end.
pub(super) fn run_supervisor(
    places: &StackPaths,
    stack: &StackDir,
    control: &OwnedFd,
    offer: &Offer,
) -> io::Result<()> {
    let mut places = places.clone();
    places.rename();
    let (ours, theirs) = UnixStream::pair()?;
    let null = platform::null()?;
    let stderr = stderr(stack).unwrap_or(null.try_clone()?);
    let folder = c_string(places.to_hand_over().into())?;
    let mut env = platform::environment();
    // The zone of the last caller comes with the rest of its environment.
    env.retain(|variable| !variable.as_bytes().starts_with(b"TZ="));
    let launch = Launch {
        program: &c_string(platform::own_program()?.into())?,
        argv: &[c"stackrun".into(), c"supervisor".into(), c"--dir".into(), folder],
        env: &env,
        dir: None,
        fds: &[
            (null.as_fd(), 0),
            (null.as_fd(), 1),
            (stderr.as_fd(), 2),
            (theirs.as_fd(), CONNECTION),
            (control.as_fd(), CONTROL),
        ],
        held: None,
        open_files: None,
        cgroup: None,
        terminal: false,
        user: None,
        tag: None,
    };
    let spawned = platform::spawn(&launch).map_err(|failed| failed.error)?;
    drop(theirs);
    offer.connect(ours);
    platform::wait_for(spawned.process.id().pid);
    Ok(())
}

/// What it has to say when it is in trouble goes to a file, which begins again when it is large.
fn stderr(stack: &StackDir) -> io::Result<OwnedFd> {
    const NAME: &str = "supervisor.stderr";
    let folder = stack.state.make()?;
    if folder.stat(NAME).is_ok_and(|file| file.length > 1 << 20) {
        folder.remove(NAME)?;
    }
    Ok(folder.append(NAME)?.into())
}

fn c_string(text: OsString) -> io::Result<CString> {
    CString::new(text.into_encoded_bytes()).map_err(io::Error::other)
}
