//! The keeper's entry: from a fresh process to one that no terminal can reach.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::{OwnedFd, RawFd},
    path::{Path, PathBuf},
    sync::{Arc, mpsc::channel},
};

use super::{
    journal, launch,
    main_loop::{Keeper, Parts, Wakeups},
    protocol::Checkpoint,
    runtime_dir::RuntimeDir,
    supervisor_process::{Gate, Offer, keep_alive, run_supervisor},
    upgrade::{Handoff, Resume},
};
use crate::platform::{
    self, FolderLock, RuntimeFolder, SignalPipe, StackDir, StackPaths, StackPathsError, Waker,
};

/// How many descriptors there is room for from the start: enough for a thousand services.
const DESCRIPTORS: i32 = 4096;

/// With fewer it could not stop what it has started.
const FEWEST_DESCRIPTORS: u64 = 64;

/// What keeps a keeper from its work.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The places cannot be used.
    #[error(transparent)]
    StackPaths(#[from] StackPathsError),
    /// The system said no.
    #[error("{doing}: {error}")]
    Io {
        /// To what.
        doing: &'static str,
        /// What it said.
        error: io::Error,
    },
    /// So few files may be open that not even a small stack could be held.
    #[error("only {0} files may be open, and it needs {FEWEST_DESCRIPTORS}: raise `ulimit -n`")]
    FewDescriptors(u64),
}

/// Holds the stack in `dir` until it is finished: the hidden `keeper` command.
///
/// It makes this process a daemon, says one line on stdout (`ready`, `held`, or `error: …`),
/// closes that, takes over what a dead keeper or (`resume`) the program before has left, with what
/// the dead keeper's supervisor knows (`checkpoint`: it is on stdin) and has left open (`terminals`),
/// and starts the supervisor: this same program as `supervisor --dir DIR`, with the descriptors
/// [`super::framing::CONNECTION`] and [`super::framing::CONTROL`].
///
/// # Errors
///
/// What was said on stdout too, if it was said before `ready`.
pub fn run(
    dir: &Path,
    resume: Option<Resume>,
    checkpoint: bool,
    terminals: &[RawFd],
) -> Result<(), KeeperError> {
    // Without them it continues from what the dead keeper has written down.
    let handed = checkpoint.then(|| serde_json::from_reader(io::stdin().lock()).ok()).flatten();
    run_as(dir, resume, (handed.unwrap_or_default(), terminals), run_supervisor)
}

/// [`run`] with something else in the supervisor's place: `one` is called again and again, each
/// time to hand in a connection and to return when that supervisor has ended.
///
/// # Errors
///
/// As [`run`].
pub fn run_with(
    dir: &Path,
    resume: Option<Resume>,
    mut one: impl FnMut(&StackPaths, &OwnedFd, &Offer) -> io::Result<()> + Send + 'static,
) -> Result<(), KeeperError> {
    let one = move |places: &StackPaths, _: &StackDir, control: &OwnedFd, offer: &Offer| {
        one(places, control, offer)
    };
    run_as(dir, resume, (Checkpoint::new(), &[]), one)
}

fn run_as(
    dir: &Path,
    resume: Option<Resume>,
    (handed, terminals): (Checkpoint, &[RawFd]),
    mut one: impl FnMut(&StackPaths, &StackDir, &OwnedFd, &Offer) -> io::Result<()> + Send + 'static,
) -> Result<(), KeeperError> {
    let mut answer = leave_everything().map_err(io("become a daemon"))?;
    let prepared = match prepare(dir, resume) {
        Ok(Some(prepared)) => prepared,
        Ok(None) => return say(&mut answer, launch::HELD),
        Err(error) => {
            say(&mut answer, &format!("{}{error}", launch::ERROR))?;
            return Err(error);
        }
    };
    let Prepared { paths, runtime_dir, stack, closed, handoff, checkpoint } = prepared;
    let control = Arc::clone(&handoff.control);
    let (sender, connections) = channel();
    let gate = Arc::new(Gate::default());
    let begun = wakeups().and_then(|wakeups| {
        let waker = Arc::clone(&wakeups.waker);
        let (paths, stack, gate) = (paths.clone(), stack.clone(), Arc::clone(&gate));
        let parts = Parts { paths, runtime_dir, stack, handoff, wakeups, connections, gate };
        Ok((Keeper::new(parts).map_err(io("begin"))?, waker))
    });
    let (mut keeper, waker) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            say(&mut answer, &format!("{}{error}", launch::ERROR))?;
            return Err(error);
        }
    };
    let offer = Offer::new(sender, waker, gate);
    keeper.supervisor.resume(checkpoint);
    if let Some(folder) = closed {
        keeper.io.outbox.trouble(format!(
            "other users could write to {} until now; they no longer can, but what they may \
             have put there is still in it",
            folder.display()
        ));
    }
    keeper.take_over(resume.is_some(), terminals);
    // The dead keeper had not read all of that, or had not written it down.
    for (part, text) in handed {
        keeper.supervisor.keep(part, text, &mut keeper.io.journal);
    }
    keeper.record();
    keeper.watch_runtime_dir();
    say(&mut answer, launch::READY)?;
    drop(answer);
    let of_thread = (paths.clone(), stack);
    let starter = std::thread::Builder::new().name("supervisor".to_owned());
    let kept = move || {
        keep_alive(|offer| one(&of_thread.0, &of_thread.1, &control, offer), &offer);
    };
    starter.spawn(kept).map_err(io("start a thread"))?;
    keeper.run().map_err(io("wait"))?;
    RuntimeFolder::remove_all(paths.id);
    Ok(())
}

/// What wakes its main thread.
fn wakeups() -> Result<Wakeups, KeeperError> {
    let waker = Arc::new(Waker::new().map_err(io("make a pipe"))?);
    let caught = [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP];
    let signals = SignalPipe::catch(&caught).map_err(io("catch signals"))?;
    Ok(Wakeups { waker, signals })
}

/// What is to be had before it can be said to be ready.
struct Prepared {
    paths: StackPaths,
    runtime_dir: RuntimeDir,
    stack: StackDir,
    /// A folder in it that others could write to until now.
    closed: Option<PathBuf>,
    handoff: Handoff,
    checkpoint: Checkpoint,
}

/// `None` if another keeper holds the stack.
fn prepare(dir: &Path, resume: Option<Resume>) -> Result<Option<Prepared>, KeeperError> {
    platform::raise_limits();
    let descriptors = platform::open_files_limit();
    // What runs already is held as well as can be.
    if descriptors < FEWEST_DESCRIPTORS && resume.is_none() {
        return Err(KeeperError::FewDescriptors(descriptors));
    }
    let Some((mut paths, lock)) = hold(dir, resume)? else { return Ok(None) };
    // That of the keeper before: there are the names of pipes that are in use.
    let newest = journal::newest(&paths);
    let newest = newest.as_deref().and_then(Path::parent);
    let folder = RuntimeFolder::make(paths.id, &paths.folder, newest)?;
    folder.path().clone_into(&mut paths.runtime);
    let stack = StackDir::of(&paths).map_err(io("open the stack's folder"))?;
    let closed = match stack.create() {
        // What runs already keeps running, whatever has become of the folder.
        Err(error @ StackPathsError::Refused(_)) if resume.is_none() => return Err(error.into()),
        // A read-only folder or a full disk keeps no service from running; the logs will say so.
        Err(_) => None,
        Ok(closed) => closed,
    };
    platform::become_subreaper().map_err(io("become the parent of orphans"))?;
    let control = match resume {
        Some(resume) => platform::inherited(resume.control),
        None => listen(&paths),
    };
    let control = control.map_err(io("listen on the control socket"))?;
    platform::make_room_for_descriptors(DESCRIPTORS);
    // Lost secrets are asked for when they are needed.
    let checkpoint = resume.and_then(|resume| resume.checkpoint().ok()).unwrap_or_default();
    Ok(Some(Prepared {
        paths,
        runtime_dir: RuntimeDir::new(folder),
        stack,
        closed,
        handoff: Handoff { lock: Arc::new(lock), control: Arc::new(control) },
        checkpoint,
    }))
}

/// The stack's folder with its lock; `None` if another keeper has that. After an upgrade both are
/// known by the descriptor alone: the folder may have been moved or removed.
fn hold(
    dir: &Path,
    resume: Option<Resume>,
) -> Result<Option<(StackPaths, FolderLock)>, KeeperError> {
    let locking = "lock the stack's folder";
    if let Some(resume) = resume {
        let lock = platform::inherited(resume.lock).map_err(io(locking))?;
        let places = StackPaths::open_in(&lock).map_err(io("find the stack's folder"))?;
        return Ok(Some((places, FolderLock::resume(lock))));
    }
    let places = StackPaths::of(dir)?;
    let lock = places.lock().map_err(io(locking))?;
    Ok(lock.map(|lock| (places, lock)))
}

fn listen(places: &StackPaths) -> io::Result<OwnedFd> {
    let listener = places.control().listen()?;
    listener.set_nonblocking(true)?;
    Ok(listener.into())
}

/// Lets go of terminal, folder, descriptors and signals; returns what was stdout.
fn leave_everything() -> io::Result<File> {
    platform::keep_descriptors_from(3)?;
    let answer = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
    let null = platform::null()?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    // Already a leader, if the caller has seen to it.
    let _leader = rustix::process::setsid();
    rustix::process::chdir("/")?;
    platform::reset_signals();
    platform::survive_signals();
    Ok(answer.into())
}

/// Says how it went; the caller may not be listening any more.
fn say(answer: &mut File, line: &str) -> Result<(), KeeperError> {
    match writeln!(answer, "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(KeeperError::Io { doing: "answer", error })
        }
        _ => Ok(()),
    }
}

fn io(doing: &'static str) -> impl Fn(io::Error) -> KeeperError {
    move |error| KeeperError::Io { doing, error }
}
