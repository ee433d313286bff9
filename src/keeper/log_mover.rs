//! The outputs of units as the main thread sees them: which are open, and the terminals among them.

use std::{
    collections::{HashMap, HashSet},
    io,
    os::fd::OwnedFd,
    sync::Arc,
};

use super::{
    io::Io,
    logs::{Logs, Output, Tell},
    terminal::Terminal,
};
use crate::platform::{Subfolder, Waker};

/// The log thread, and what it was given to move.
pub(super) struct LogMover {
    thread: Logs,
    /// Outputs whose pipes may still be held.
    open: HashSet<u64>,
    /// The terminals of services, by the tokens of those who ask for them.
    terminals: HashMap<u64, Terminal>,
}

impl LogMover {
    /// Starts the thread.
    pub(super) fn start(main: Arc<Waker>, folder: Subfolder) -> io::Result<Self> {
        let thread = Logs::start(main, folder)?;
        Ok(Self { thread, open: HashSet::new(), terminals: HashMap::new() })
    }

    /// Begins to move an output.
    pub(super) fn open(&mut self, output: Output) {
        self.open.insert(output.key);
        self.thread.open(output);
    }

    /// Asks for what has been written so far to be moved; of which of these outputs that will be
    /// told.
    pub(super) fn drain(&self, outputs: impl Iterator<Item = u64>) -> Vec<u64> {
        let open: Vec<u64> = outputs.filter(|key| self.open.contains(key)).collect();
        open.iter().for_each(|&key| self.thread.drain(key));
        self.thread.wake();
        open
    }

    /// Has the thread do what was asked since the last call.
    pub(super) fn wake(&self) {
        self.thread.wake();
    }

    /// Whether all outputs have come to their ends.
    pub(super) fn are_complete(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes in what the thread has said; the outputs that are drained.
    pub(super) fn take_drained(&mut self, io: &mut Io) -> Vec<u64> {
        let mut drained = Vec::new();
        for tell in self.thread.take() {
            match tell {
                Tell::Drained(key) => drained.push(key),
                Tell::Closed(key) => {
                    self.open.remove(&key);
                    let closed = self.terminals.extract_if(|_, terminal| terminal.is_of(key));
                    closed.for_each(|(_, terminal)| io.sources.remove(&terminal));
                    drained.push(key);
                }
                Tell::Trouble(text) => io.outbox.trouble(text),
            }
        }
        drained
    }

    /// Lets others use the terminal of an output of a service.
    pub(super) fn open_terminal(&mut self, key: u64, master: OwnedFd, service: &str, io: &mut Io) {
        let opened = Terminal::open(key, master, &io.paths.terminal(service));
        let added = opened.and_then(|terminal| Ok((io.sources.add(&terminal)?, terminal)));
        match added {
            Ok((token, terminal)) => drop(self.terminals.insert(token, terminal)),
            Err(error) => {
                let text = format!("cannot attach to the terminal of {service}: {error}");
                io.outbox.trouble(text);
            }
        }
    }

    /// Hands over the terminal that a token stands for; whether there is one.
    pub(super) fn hand_over(&self, token: u64) -> bool {
        self.terminals.get(&token).map(Terminal::hand_over).is_some()
    }

    /// Says whether the next program of this process gets the terminals.
    pub(super) fn keep_terminals(&self, keep: bool) -> io::Result<()> {
        self.terminals.values().try_for_each(|terminal| terminal.keep(keep))
    }
}
