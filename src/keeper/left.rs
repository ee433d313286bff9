//! What could not be ended when the stack was to be. It stays known until it has exited: the keeper
//! waits for that, tells its supervisor, and writes down which processes they are for a keeper that
//! may have to take over.

use std::collections::HashMap;

use super::{io::Io, journal::Line, protocol::FromKeeper, units::STUCK};
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

    pub(super) fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    /// Which they are, those that have just exited perhaps included.
    pub(super) fn ids(&self) -> Vec<ProcId> {
        let mut ids: Vec<ProcId> = self.processes.values().map(Process::id).collect();
        ids.sort_unstable();
        ids
    }

    /// Each that lives in a line for a person.
    pub(super) fn texts(&self) -> Vec<String> {
        let ids = self.ids();
        ids.into_iter().filter_map(living).map(|entry| platform::predicament(&entry)).collect()
    }

    /// What the journal says of them.
    pub(super) fn line(&self) -> Line {
        Line::Left(self.ids())
    }

    /// Tries to end them; whether all have exited.
    pub(super) fn end(&self) -> bool {
        let mut all_ended = true;
        for process in self.processes.values() {
            if living(process.id()).is_some() {
                // If that can end it, it will be gone the next time.
                let _refused = process.signal(Signal::KILL);
                all_ended = false;
            }
        }
        all_ended
    }

    /// Waits for the end of these, and of no others.
    pub(super) fn watch(&mut self, ids: impl IntoIterator<Item = ProcId>, io: &mut Io) {
        for process in self.processes.drain().map(|(_, process)| process) {
            process.ended().inspect(|ended| io.sources.remove(ended));
        }
        self.next = None;
        for process in ids.into_iter().filter_map(Process::open) {
            let token = process.ended().and_then(|ended| io.sources.add(ended).ok());
            let token = token.unwrap_or_else(|| {
                self.next = Some(platform::now() + STUCK);
                io.sources.token()
            });
            self.processes.insert(token, process);
        }
        io.journal.add(&self.line());
    }

    /// Takes note of an end; whether the token was of one of these.
    pub(super) fn ended(&mut self, token: u64, io: &mut Io) -> bool {
        let Some(process) = self.processes.remove(&token) else { return false };
        process.ended().inspect(|ended| io.sources.remove(ended));
        io.journal.add(&self.line());
        io.outbox.tell(FromKeeper::Left { processes: self.texts(), gave_up: false });
        true
    }

    /// Looks for ends that no descriptor tells of.
    pub(super) fn look_if_due(&mut self, io: &mut Io, now: Tick) {
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        let over = self.processes.iter();
        let over = over.filter(|(_, process)| living(process.id()).is_none());
        let over: Vec<u64> = over.map(|(token, _)| *token).collect();
        for token in over {
            self.ended(token, io);
        }
        self.next = (!self.processes.is_empty()).then_some(now + STUCK);
    }
}

/// A process as it is now, unless it has exited.
pub(super) fn living(id: ProcId) -> Option<Entry> {
    Entry::read(id.pid).filter(|entry| entry.id == id && !entry.is_dead())
}
