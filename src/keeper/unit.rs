//! One unit: a process tree, from its start until none of it is left.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    time::Duration,
};

use super::protocol::{UnitId, UnitReport};
use crate::{
    event::Tick,
    model::Exit,
    platform::{FileId, ProcId, Process, Tree},
};

/// How long an end waits for the log thread, so that the last lines are there to be shown.
const DRAIN: Duration = Duration::from_millis(100);

/// Survivors of SIGKILL are named after this long.
pub(super) const STUCK: Duration = Duration::from_secs(2);

/// The first pause between two looks at a tree that is being killed; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// A process tree.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) id: UnitId,
    /// The main process; a zombie from its end until the whole tree is gone.
    pub(super) main: Process,
    /// Whether it is a child of this keeper, not one taken over.
    pub(super) child: bool,
    pub(super) started: Tick,
    pub(super) log_offset: u64,
    pub(super) outputs: Vec<OutputPipe>,
    /// `STACKRUN_ID=…`.
    pub(super) mark: Vec<u8>,
    /// Every process that the last look found.
    pub(super) known: Vec<ProcId>,
    pub(super) end: Option<End>,
    pub(super) kill: Option<Kill>,
    /// Everybody but the main process who was sent SIGKILL.
    pub(super) killed: HashSet<ProcId>,
    /// Processes of an ending tree whose end wakes us, by token.
    pub(super) watched: HashMap<u64, Process>,
    /// When to look at the tree.
    pub(super) look: Option<Tick>,
    /// Nothing of it is left, and everybody has been told.
    pub(super) gone: bool,
}

/// One of its outputs.
#[derive(Debug, Clone)]
pub(super) struct OutputPipe {
    pub(super) key: u64,
    pub(super) path: PathBuf,
    pub(super) id: FileId,
    pub(super) log: PathBuf,
}

/// The end of the main process.
#[derive(Debug)]
pub(super) struct End {
    pub(super) exit: Exit,
    pub(super) at: Tick,
    /// Outputs that have not been drained yet.
    pub(super) undrained: Vec<u64>,
    /// How many others lived at the first look after it.
    pub(super) left: Option<usize>,
    /// Whether the last look found nobody.
    pub(super) empty: bool,
    /// Whether it has been told.
    pub(super) told: bool,
}

/// SIGKILL to everybody, until nobody is left.
#[derive(Debug)]
pub(super) struct Kill {
    pub(super) since: Tick,
    pub(super) pause: Duration,
    pub(super) stuck_told: bool,
}

impl Unit {
    /// What the process table is searched for.
    pub(super) fn tree<'a>(&'a self, pipes: &'a [FileId]) -> Tree<'a> {
        Tree { main: self.main.id(), known: &self.known, pipes, mark: &self.mark }
    }

    /// What a new supervisor is told: exactly what the old one was, and what it missed.
    pub(super) fn report(&self) -> UnitReport {
        UnitReport {
            unit: self.id.clone(),
            pid: self.main.id().pid,
            started: self.started,
            log_offset: self.log_offset,
            exit: self.end.as_ref().filter(|end| end.told).map(|end| end.exit),
            gone: self.gone,
        }
    }

    /// Its main process has ended.
    pub(super) fn ended(&mut self, exit: Exit, now: Tick) {
        let undrained = self.outputs.iter().map(|output| output.key).collect();
        self.end = Some(End { exit, at: now, undrained, left: None, empty: false, told: false });
        self.look = Some(now);
    }

    /// Begins to kill it; a second time changes nothing.
    pub(super) fn kill(&mut self, now: Tick) {
        if self.kill.is_none() && !self.gone {
            self.kill = Some(Kill { since: now, pause: FIRST_PAUSE, stuck_told: false });
            self.look = Some(now);
        }
    }

    /// When something is to be done for it without anything happening.
    pub(super) fn deadline(&self) -> Option<Tick> {
        let drain = self.end.as_ref().filter(|end| end.waits_for_logs()).map(End::drain_by);
        self.look.into_iter().chain(drain).min()
    }
}

impl End {
    /// Whether all is known but what the log thread may still be writing.
    fn waits_for_logs(&self) -> bool {
        !self.told && self.left.is_some() && !self.undrained.is_empty()
    }

    fn drain_by(&self) -> Tick {
        self.at + DRAIN
    }

    /// Whether it can be told now.
    pub(super) fn is_tellable(&self, now: Tick) -> bool {
        let drained = self.undrained.is_empty() || now >= self.drain_by();
        !self.told && self.left.is_some() && drained
    }
}

impl Kill {
    /// When to look again.
    pub(super) fn next_look(&mut self, now: Tick) -> Tick {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        now + pause
    }
}
