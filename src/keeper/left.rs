//! What could not be ended when the stack was to be. It stays known until it has ended: the keeper
//! waits for that, tells its supervisor, and writes down which processes they are for a keeper that
//! may have to take over.

use std::collections::HashMap;

use super::{journal::Line, main_loop::Keeper, protocol::FromKeeper, unit::STUCK};
use crate::{
    event::Tick,
    model::Signal,
    platform::{self, Entry, ProcId, Process},
};

/// What is left, each under the token that its end comes by.
#[derive(Debug, Default)]
pub(super) struct Left {
    processes: HashMap<u64, Process>,
    /// When to look, where no descriptor tells of an end.
    next: Option<Tick>,
}

impl Left {
    pub(super) fn deadline(&self) -> Option<Tick> {
        self.next
    }

    /// Which they are, those that have just ended perhaps included.
    pub(super) fn ids(&self) -> Vec<ProcId> {
        let mut ids: Vec<ProcId> = self.processes.values().map(Process::id).collect();
        ids.sort_unstable();
        ids
    }

    /// Tries to end them; whether all have ended.
    pub(super) fn end(&self) -> bool {
        let mut all_ended = true;
        for process in self.processes.values() {
            if living(process.id()).is_some() {
                // Whoever could be ended will be gone the next time.
                let _refused = process.signal(Signal::KILL);
                all_ended = false;
            }
        }
        all_ended
    }

    /// Each in a line for a person.
    pub(super) fn texts(&self) -> Vec<String> {
        let ids = self.ids();
        ids.into_iter().filter_map(living).map(|entry| platform::predicament(&entry)).collect()
    }
}

impl Keeper {
    /// The stack cannot be ended now, unless these have ended just now. It goes on as it is, and
    /// their end is waited for.
    pub(super) fn keep_left(&mut self, left: &[Entry]) {
        self.watch_left(left.iter().map(|entry| entry.id).collect());
        if !self.left.processes.is_empty() {
            self.give_up(self.left.texts());
        }
    }

    /// The stack goes on as it is, and may be ended later.
    pub(super) fn give_up(&mut self, processes: Vec<String>) {
        self.finish = None;
        self.gate.open();
        self.tell(FromKeeper::Left { processes, gave_up: true });
    }

    /// Waits for the end of these.
    pub(super) fn watch_left(&mut self, ids: Vec<ProcId>) {
        for process in self.left.processes.drain().map(|(_, process)| process) {
            process.ended().inspect(|ended| self.poller.remove(ended));
        }
        self.left.next = None;
        for process in ids.into_iter().filter_map(Process::open) {
            let token = self.next_token;
            self.next_token += 1;
            let told_by_descriptor =
                process.ended().is_some_and(|ended| self.poller.add(ended, token).is_ok());
            if !told_by_descriptor {
                self.left.next = Some(platform::now() + STUCK);
            }
            self.left.processes.insert(token, process);
        }
        self.record_left();
    }

    /// Takes note of an end; whether the token was of one of these.
    pub(super) fn left_ended(&mut self, token: u64) -> bool {
        let Some(process) = self.left.processes.remove(&token) else { return false };
        process.ended().inspect(|ended| self.poller.remove(ended));
        self.record_left();
        self.tell(FromKeeper::Left { processes: self.left.texts(), gave_up: false });
        true
    }

    /// Looks for ends that no descriptor tells of.
    pub(super) fn look_at_left(&mut self, now: Tick) {
        if self.left.next.is_none_or(|next| now < next) {
            return;
        }
        let over = self.left.processes.iter();
        let over = over.filter(|(_, process)| living(process.id()).is_none());
        let over: Vec<u64> = over.map(|(token, _)| *token).collect();
        for token in over {
            self.left_ended(token);
        }
        self.left.next = (!self.left.processes.is_empty()).then_some(now + STUCK);
    }

    fn record_left(&mut self) {
        let line = self.line_of_left();
        self.journal.add(&line);
    }

    pub(super) fn line_of_left(&self) -> Line {
        Line::Left(self.left.ids())
    }
}

/// A process as it is now, unless it has ended.
pub(super) fn living(id: ProcId) -> Option<Entry> {
    Entry::read(id.pid).filter(|entry| entry.id == id && !entry.is_dead())
}
