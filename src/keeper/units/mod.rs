//! The units of a stack: process trees, from their starts until none of each is left.

mod end;
mod memory;
pub(super) mod notify;
mod origin;
mod record;
mod signal;
mod sweep;
mod unit;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use self::memory::OomKills;
pub(super) use self::{
    origin::{Origin, OutputPipe},
    record::Record,
    sweep::Surroundings,
    unit::Unit,
};
use super::{
    io::{Io, Sources},
    journal::{Journal, Line},
    log_mover::LogMover,
    protocol::{FromKeeper, Part, UnitId, UnitReport},
};
use crate::{
    event::Tick,
    model::{Exit, Signal},
    platform::{self, Entry, ProcId, Process},
};

/// Survivors of SIGKILL are named after this long.
pub(super) const STUCK: Duration = Duration::from_secs(2);

/// All units that the supervisor has not told to forget.
#[derive(Debug)]
pub(super) struct Units {
    all: BTreeMap<UnitId, Unit>,
    /// Whose end a token means.
    ends: HashMap<u64, UnitId>,
    /// Whose socket a token means.
    sockets: HashMap<u64, UnitId>,
    oom_kills: OomKills,
}

impl Units {
    pub(super) fn new() -> Self {
        Self {
            all: BTreeMap::new(),
            ends: HashMap::new(),
            sockets: HashMap::new(),
            oom_kills: OomKills::so_far(),
        }
    }

    pub(super) fn contains(&self, id: &UnitId) -> bool {
        self.all.contains_key(id)
    }

    /// Whether any generation of this is known.
    pub(super) fn has_any(&self, owner: &str, part: Part) -> bool {
        let first = UnitId { owner: owner.to_owned(), part, generation: 0 };
        let next = self.all.range(first..).next();
        next.is_some_and(|(unit, _)| unit.owner == owner && unit.part == part)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Unit> {
        self.all.values()
    }

    /// Those of which something is left.
    pub(super) fn living(&self) -> impl Iterator<Item = &Unit> {
        self.all.values().filter(|unit| !unit.is_gone())
    }

    pub(super) fn get(&self, id: &UnitId) -> Option<&Unit> {
        self.all.get(id)
    }

    /// The main processes, which stay zombies until nothing of their units is left.
    pub(super) fn mains(&self) -> HashSet<u32> {
        self.living().filter_map(Unit::child).collect()
    }

    /// What a new supervisor is told of them.
    pub(super) fn reports(&self) -> Vec<UnitReport> {
        self.all.values().map(Unit::report).collect()
    }

    /// When something is to be done for one of them though nothing happens.
    pub(super) fn deadline(&self) -> Option<Tick> {
        self.all.values().filter_map(Unit::deadline).min()
    }

    /// Whether a scan of the process table is due.
    pub(super) fn is_scan_due(&self, now: Tick) -> bool {
        self.all.values().any(|unit| unit.sweep.is_due(now))
    }

    /// Whether there are ends that are known and will be told in a moment.
    pub(super) fn have_untold_ends(&self) -> bool {
        self.all.values().any(Unit::has_untold_end)
    }

    /// Takes care of a unit that runs.
    pub(super) fn add(&mut self, unit: Unit, sources: &mut Sources) {
        if let Some(process) = unit.process() {
            let token = watch(process, sources);
            self.ends.insert(token, unit.id().clone());
        }
        // Out of memory: then it is never ready, and says so.
        if let Some(Ok(token)) = unit.notify().map(|notify| sources.add(notify)) {
            self.sockets.insert(token, unit.id().clone());
        }
        self.all.insert(unit.id().clone(), unit);
    }

    /// Begins to kill a unit; whether there is one.
    pub(super) fn kill(&mut self, id: &UnitId, now: Tick) -> bool {
        self.all.get_mut(id).map(|unit| unit.kill(now)).is_some()
    }

    /// Begins to kill all of them.
    pub(super) fn kill_all(&mut self, now: Tick) {
        self.all.values_mut().for_each(|unit| unit.kill(now));
    }

    /// Has the next scan look at a unit.
    pub(super) fn look_at(&mut self, id: &UnitId, now: Tick) {
        if let Some(unit) = self.all.get_mut(id) {
            unit.sweep.look_at(now);
        }
    }

    /// Sends a signal to a unit: to `stop` it is asked but once.
    pub(super) fn signal(
        &mut self,
        (id, signal): (&UnitId, Signal),
        (tree, stop): (bool, bool),
        journal: &mut Journal,
    ) {
        let Some(unit) = self.all.get_mut(id) else { return };
        if stop {
            if !unit.ask_to_end() {
                return;
            }
            // A keeper that takes over must not ask a second time.
            journal.add(&Line::Unit(Box::new(unit.record())));
            journal.write();
        }
        unit.signal(signal, tree, stop);
    }

    /// An orphan of a unit that is being killed was killed as it came to us.
    pub(super) fn killed_orphan(&mut self, id: &UnitId, orphan: ProcId) {
        if let Some(unit) = self.all.get_mut(id) {
            unit.sweep.killed(orphan);
        }
    }

    /// Forgets a unit that is gone.
    pub(super) fn forget(&mut self, id: UnitId, journal: &mut Journal) {
        if self.all.get(&id).is_some_and(Unit::is_gone) {
            self.all.remove(&id);
            journal.add(&Line::Forgotten(id));
        }
    }

    /// Takes in what came under a token: the end of a process, or a message of a service.
    pub(super) fn happened(&mut self, token: u64, logs: &mut LogMover, io: &mut Io) {
        if let Some(id) = self.sockets.get(&token).cloned() {
            self.receive(&id, io);
        } else if let Some(id) = self.ends.remove(&token) {
            self.process_ended(token, &id, logs, io);
        }
    }

    fn process_ended(&mut self, token: u64, id: &UnitId, logs: &mut LogMover, io: &mut Io) {
        let Some(unit) = self.all.get_mut(id) else { return };
        let now = platform::now();
        let of_tree = unit.sweep.unwatch(token, now);
        let process = of_tree.as_ref().or(unit.process());
        if let Some(descriptor) = process.and_then(Process::ended) {
            io.sources.remove(descriptor);
        }
        if of_tree.is_none() {
            self.main_ended(id, logs, now);
        }
    }

    fn main_ended(&mut self, id: &UnitId, logs: &mut LogMover, now: Tick) {
        let Some(unit) = self.all.get_mut(id) else { return };
        let exit = unit.child().and_then(|pid| platform::peek(pid).ok().flatten());
        let exit = exit.unwrap_or(Exit::UNKNOWN);
        let out_of_memory = self.oom_kills.has_ended(unit, exit, now);
        unit.ended(exit, out_of_memory, now);
        self.drain(id, logs, now);
    }

    /// Has what a unit has written so far moved to its logs, before more is told of its end.
    fn drain(&mut self, id: &UnitId, logs: &mut LogMover, now: Tick) {
        let Some(unit) = self.all.get_mut(id) else { return };
        let outputs = unit.origin().outputs.iter().map(|output| output.key);
        let open = logs.drain(outputs);
        if let Some(end) = &mut unit.end {
            end.drain(open, now);
        }
    }

    /// An output is in its log, as far as it was asked for.
    pub(super) fn drained(&mut self, key: u64) {
        self.all.values_mut().filter_map(|unit| unit.end.as_mut()).for_each(|end| end.drained(key));
    }

    /// Looks for ends that no descriptor tells of.
    pub(super) fn look_for_ends(&mut self, logs: &mut LogMover, now: Tick) {
        let is_silent = |unit: &&Unit| {
            let is_silent = unit.process().is_some_and(|process| process.ended().is_none());
            is_silent
                && unit.end.is_none()
                && matches!(platform::peek(unit.main().pid), Ok(Some(_)))
        };
        let silent = self.all.values().filter(is_silent);
        let ended: Vec<UnitId> = silent.map(|unit| unit.id().clone()).collect();
        for id in ended {
            self.main_ended(&id, logs, now);
        }
    }

    /// Takes in what services have sent to their sockets.
    pub(super) fn receive_all(&mut self, io: &mut Io) {
        let units: Vec<UnitId> = self.sockets.values().cloned().collect();
        units.iter().for_each(|id| self.receive(id, io));
    }

    fn receive(&mut self, id: &UnitId, io: &mut Io) {
        if self.all.get_mut(id).is_some_and(Unit::take_ready) {
            io.outbox.tell(FromKeeper::Notified { unit: id.clone() });
        }
    }

    /// Takes in which processes a scan found of each unit.
    pub(super) fn set_known(&mut self, families: &[(UnitId, Vec<Entry>)]) {
        for (id, family) in families {
            if let Some(unit) = self.all.get_mut(id) {
                unit.set_known(family.iter().map(|entry| entry.id).collect());
            }
        }
    }

    /// Acts on what a scan found of one unit.
    pub(super) fn found(
        &mut self,
        (id, family): (&UnitId, &[Entry]),
        around: &Surroundings<'_>,
        logs: &mut LogMover,
        io: &mut Io,
        now: Tick,
    ) {
        let Some(unit) = self.all.get_mut(id) else { return };
        let found = unit.found(family, around, now);
        for process in found.leftovers {
            let token = watch(&process, &mut io.sources);
            self.ends.insert(token, id.clone());
            unit.sweep.watch(token, process);
        }
        if let Some(processes) = found.stuck {
            io.outbox.tell(FromKeeper::Stuck { unit: id.clone(), processes });
        }
        if found.is_empty {
            // Nothing writes any more: what is in the pipe now is all.
            self.drain(id, logs, now);
        }
    }

    /// Tells of ends, and of units of which nothing is left.
    pub(super) fn tell_ends(&mut self, io: &mut Io, now: Tick) {
        for unit in self.all.values_mut() {
            for message in unit.news(now) {
                if matches!(message, FromKeeper::Gone { .. }) {
                    unit.sweep.watched().for_each(|token| drop(self.ends.remove(&token)));
                    if let Some(notify) = unit.release() {
                        io.sources.remove(&notify);
                        self.sockets.retain(|_, of| of != unit.id());
                    }
                }
                io.outbox.tell(message);
            }
        }
    }

    /// Brings the journal up to date.
    pub(super) fn record(&mut self, journal: &mut Journal) {
        for unit in self.all.values_mut().filter(|unit| unit.is_changed()) {
            journal.add(&Line::Unit(Box::new(unit.record())));
        }
    }

    /// Notes for the journal's next write that a unit runs which was recorded before its start.
    /// Until then it is found by its labels.
    pub(super) fn record_start(&mut self, id: &UnitId, journal: &mut Journal) {
        if let Some(unit) = self.all.get_mut(id) {
            unit.set_recorded();
            journal.add(&Line::Started(id.clone(), unit.main()));
        }
    }

    /// What a new journal says of them.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line> {
        self.all.values().map(|unit| Line::Unit(Box::new(unit.to_record())))
    }
}

/// Has the end of a process wake us; the token that it comes under.
fn watch(process: &Process, sources: &mut Sources) -> u64 {
    // Without a descriptor, or out of memory, scans find it.
    let watched = process.ended().and_then(|descriptor| sources.add(descriptor).ok());
    watched.unwrap_or_else(|| sources.token())
}
