//! The log thread: it moves what services write from their pipes to their logs.
//!
//! It is a thread of its own so that a disk that stalls stops no stop. It waits for all pipes at
//! once, moves a bounded amount of each in turn, so that a flood of one service starves no
//! other, and never looks at a byte unless a log is to be rotated at the end of a line.

mod file;
mod index;
mod rotate;
mod tidy;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    io,
    os::fd::OwnedFd,
    path::PathBuf,
    rc::{Rc, Weak},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
};

use self::{file::LogFile, tidy::Tidy};
use crate::{
    model::LogPolicy,
    platform::{Moved, Poller, Readiness, Subfolder, Waker},
};

/// The most that is moved in one step: what a pipe holds, unless it was enlarged.
const STEP: usize = 64 * 1024;

/// How many steps one pipe gets in a turn.
const STEPS: usize = 4;

/// The thread's own token; pipes have the numbers of their outputs.
const WAKE: u64 = 0;

/// One output of one unit.
#[derive(Debug)]
pub(super) struct Output {
    /// Its number, unique in the life of this keeper, never 0.
    pub(super) key: u64,
    /// The keeper's end of the pipe.
    pub(super) pipe: OwnedFd,
    /// The log's file, which is in the folder of the logs.
    pub(super) path: PathBuf,
    /// How it is kept.
    pub(super) policy: LogPolicy,
}

enum Ask {
    Open(Output),
    Drain(u64),
}

/// What the log thread says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tell {
    /// All that was written before it was asked to drain is in the log.
    Drained(u64),
    /// No process holds the pipe any more, and all of it is in the log.
    Closed(u64),
    /// Something a person should know.
    Trouble(String),
}

/// The main thread's side.
#[derive(Debug)]
pub(super) struct Logs {
    asks: Sender<Ask>,
    tells: Receiver<Tell>,
    waker: Arc<Waker>,
    /// Something was asked, and the thread not woken yet.
    asked: Cell<bool>,
}

impl Logs {
    /// Starts the thread for the logs in that folder; it wakes `main` when it has something to say.
    pub(super) fn start(main: Arc<Waker>, folder: Subfolder) -> io::Result<Self> {
        let (asks, asked) = channel();
        let (tell, tells) = channel();
        let waker = Arc::new(Waker::new()?);
        let poller = Poller::new()?;
        poller.add(&*waker, WAKE)?;
        let own_waker = Arc::clone(&waker);
        let tidy = tidy::start(folder.clone())?;
        std::thread::Builder::new().name("logs".to_owned()).spawn(move || {
            Mover {
                poller,
                waker: own_waker,
                asked,
                tell,
                main,
                tidy,
                folder,
                sources: HashMap::new(),
                files: HashMap::new(),
            }
            .run();
        })?;
        Ok(Self { asks, tells, waker, asked: Cell::new(false) })
    }

    /// Begins to move an output.
    pub(super) fn open(&self, output: Output) {
        self.ask(Ask::Open(output));
    }

    /// Asks for what has been written so far to be moved → `Drained` or `Closed`.
    pub(super) fn drain(&self, key: u64) {
        self.ask(Ask::Drain(key));
    }

    /// What the thread has said since the last call.
    pub(super) fn take(&self) -> Vec<Tell> {
        self.tells.try_iter().collect()
    }

    /// Has the thread do what was asked since the last call.
    pub(super) fn wake(&self) {
        if self.asked.replace(false) {
            self.waker.wake();
        }
    }

    fn ask(&self, ask: Ask) {
        let _thread_ends_with_the_process = self.asks.send(ask);
        self.asked.set(true);
    }
}

struct Mover {
    poller: Poller,
    waker: Arc<Waker>,
    asked: Receiver<Ask>,
    tell: Sender<Tell>,
    main: Arc<Waker>,
    tidy: Sender<Tidy>,
    folder: Subfolder,
    sources: HashMap<u64, Source>,
    /// By their names. Two generations of a service may write to one log for a while.
    files: HashMap<PathBuf, Weak<RefCell<LogFile>>>,
}

struct Source {
    pipe: OwnedFd,
    file: Rc<RefCell<LogFile>>,
}

impl Mover {
    fn run(mut self) {
        let mut ready: Vec<Readiness> = Vec::new();
        while self.poller.wait(&mut ready, None).is_ok() {
            for event in &ready {
                if event.token == WAKE {
                    self.waker.clear();
                } else {
                    self.turn(event.token, STEPS);
                }
            }
            if !self.answer() {
                return;
            }
        }
    }

    /// Does what was asked for; whether it may still be asked.
    fn answer(&mut self) -> bool {
        loop {
            match self.asked.try_recv() {
                Ok(Ask::Open(output)) => self.open(output),
                Ok(Ask::Drain(key)) => self.drain(key),
                Err(std::sync::mpsc::TryRecvError::Empty) => return true,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn open(&mut self, output: Output) {
        let Output { key, pipe, path, policy } = output;
        if let Err(error) = self.poller.add(&pipe, key) {
            self.say(Tell::Trouble(format!("{}: {error}", path.display())));
            return;
        }
        let name = PathBuf::from(path.file_name().unwrap_or_default());
        let known = self.files.get(&name).and_then(Weak::upgrade);
        let new = || {
            let file = LogFile::new(self.folder.clone(), name.clone(), self.tidy.clone());
            Rc::new(RefCell::new(file))
        };
        let file = known.unwrap_or_else(new);
        file.borrow_mut().begin(policy);
        self.files.insert(name, Rc::downgrade(&file));
        self.sources.insert(key, Source { pipe, file });
    }

    /// Moves what is there now: as often as a full pipe could take, since writers keep writing.
    fn drain(&mut self, key: u64) {
        // One that was closed before it was asked for is drained, too.
        self.turn(key, usize::MAX);
        self.say(Tell::Drained(key));
    }

    /// Moves some of one pipe; closes it when no process can write to it any more.
    fn turn(&mut self, key: u64, steps: usize) {
        let Some(source) = self.sources.get(&key) else { return };
        let mut file = source.file.borrow_mut();
        let mut room = pending(&source.pipe).max(STEP);
        let mut ended = false;
        for _ in 0..steps {
            match file.take(&source.pipe, STEP) {
                Moved::Bytes(count) => room = room.saturating_sub(count),
                Moved::Nothing => break,
                Moved::End => ended = true,
            }
            if ended || room == 0 {
                break;
            }
        }
        let trouble = file.trouble();
        drop(file);
        if ended {
            self.close(key);
        }
        if let Some(text) = trouble {
            self.say(Tell::Trouble(text));
        }
    }

    fn close(&mut self, key: u64) {
        if let Some(source) = self.sources.remove(&key) {
            self.poller.remove(&source.pipe);
            self.files.retain(|_, file| file.strong_count() > 0);
            self.say(Tell::Closed(key));
        }
    }

    fn say(&self, tell: Tell) {
        let _main_has_ended = self.tell.send(tell);
        self.main.wake();
    }
}

/// How many bytes wait in a pipe.
fn pending(pipe: &OwnedFd) -> usize {
    rustix::io::ioctl_fionread(pipe).map_or(0, |count| usize::try_from(count).unwrap_or(0))
}
