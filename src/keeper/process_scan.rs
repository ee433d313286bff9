//! Scans of the process table, and what follows from them.
//!
//! A scan finds every process of every unit, and remembers them: descendants are recorded before
//! the first signal, since afterwards nothing may tell where an orphan came from. Scans are
//! rationed: what one has cost is waited for three times over before the next, so that a thousand
//! exits in a row cost a few scans, and after a single one there is a scan at once. What forks and
//! exits faster than the table is read is caught between the scans, as it comes to us as an orphan.

use std::{collections::HashSet, time::Duration};

use super::{
    io::Io,
    log_mover::LogMover,
    orphans::{self, Strays},
    others::Others,
    protocol::UnitId,
    units::{STUCK, Surroundings, Unit, Units},
};
use crate::{
    event::Tick,
    model::Signal,
    platform::{self, Entry, Family, ProcId, StackPaths, Table},
};

/// How the time between scans is rationed: so many times what one costs.
const RATION: u32 = 3;

/// Orphans are reaped at most so often.
const REAP: Duration = Duration::from_millis(20);

/// When the next scan may be, what it is for, and what the last ones have found.
#[derive(Debug, Default)]
pub(super) struct ProcessScan {
    /// The last one is paid for by then.
    not_before: Tick,
    /// Signals for trees, and those for main processes that came after them.
    signals: Vec<PendingSignal>,
    /// When to look for children that have exited.
    reap: Option<Tick>,
    strays: Strays,
}

/// A signal that may have to wait for a scan.
#[derive(Debug)]
pub(super) struct PendingSignal {
    pub(super) unit: UnitId,
    pub(super) signal: Signal,
    /// To everybody, or to the main process alone.
    pub(super) tree: bool,
    /// Whether it asks the unit to exit, which is done once.
    pub(super) stop: bool,
}

impl ProcessScan {
    /// A child has exited.
    pub(super) fn child_ended(&mut self, now: Tick) {
        self.reap.get_or_insert(now + REAP);
    }

    /// Children may have exited before they were waited for.
    pub(super) fn reap_at(&mut self, at: Tick) {
        self.reap = Some(at);
    }

    /// When to wake up though nothing happens.
    pub(super) fn deadline(&self, units: &Units) -> Option<Tick> {
        // A scan that is due waits until the last one has been paid for.
        let units = units.deadline().map(|due| due.max(self.not_before));
        units.into_iter().chain(self.reap).min()
    }

    /// Each stray that several units may have left, in one line.
    pub(super) fn strays(&self) -> &[String] {
        self.strays.named()
    }

    /// Sends a signal to the main process at once; to a tree after a scan for its processes. What
    /// comes after such a signal waits too.
    pub(super) fn signal(&mut self, signal: PendingSignal, units: &mut Units, io: &mut Io) {
        let Some(unit) = units.get(&signal.unit) else { return };
        let to_tree = signal.tree || signal.stop && unit.has_ended();
        if to_tree || self.signals.iter().any(|waiting| waiting.unit == signal.unit) {
            units.look_at(&signal.unit, platform::now());
            self.signals.push(signal);
        } else {
            deliver(&signal, units, io);
        }
    }

    /// Reaps what has exited, and scans, if any unit asks for it and the last scan is paid for.
    pub(super) fn run(&mut self, units: &mut Units, logs: &mut LogMover, io: &mut Io, now: Tick) {
        if self.reap.take_if(|due| now >= *due).is_some() {
            units.look_for_ends(logs, now);
            orphans::reap(units, io);
            orphans::chase(units, io);
        }
        if now >= self.not_before && units.is_scan_due(now) {
            self.scan(units, logs, io, now);
        }
    }

    fn scan(&mut self, units: &mut Units, logs: &mut LogMover, io: &mut Io, now: Tick) {
        let began = platform::now();
        let Ok(table) = Table::read() else {
            // Out of descriptors or memory: soon again.
            self.not_before = began + STUCK / 20;
            return;
        };
        let others = Others::find(&table);
        let mut families = families(units, &table, &others, &io.paths);
        self.strays.add_to(&mut families, &table, &others, units, io);
        let took = platform::now().since(began);
        self.not_before = platform::now() + took * RATION;
        units.set_known(&families);
        for signal in std::mem::take(&mut self.signals) {
            deliver(&signal, units, io);
        }
        let nameless = nameless(&table, &families, &others);
        let around = Surroundings { nameless: &nameless, others: others.pids() };
        for (id, family) in &families {
            units.found((id, family), &around, logs, io, now);
        }
        orphans::chase(units, io);
    }
}

fn deliver(signal: &PendingSignal, units: &mut Units, io: &mut Io) {
    let PendingSignal { unit, signal, tree, stop } = signal;
    units.signal((unit, *signal), (*tree, *stop), &mut io.journal);
}

/// The processes of every unit that is not gone.
fn families(
    units: &Units,
    table: &Table,
    others: &Others,
    own: &StackPaths,
) -> Vec<(UnitId, Family)> {
    let units: Vec<&Unit> = units.living().collect();
    // A cgroup holds what was started in it, of whichever stack.
    let grouped = units.iter().flat_map(|unit| unit.in_cgroup());
    let grouped = grouped.filter_map(|pid| table.get(pid));
    let strangers = grouped.filter(|entry| others.have(entry, own));
    let outsiders = others.pids().iter().copied().chain([std::process::id()]);
    let outsiders: Vec<u32> = outsiders.chain(strangers.map(|entry| entry.id.pid)).collect();
    let pipes: Vec<Vec<_>> = units.iter().map(|unit| unit.pipes()).collect();
    let known: Vec<Vec<ProcId>> = units.iter().map(|unit| unit.known_and_grouped(table)).collect();
    let trees: Vec<_> = (units.iter().zip(&pipes).zip(&known))
        .map(|((unit, pipes), known)| unit.tree(pipes, known))
        .collect();
    let families = platform::members(table, &trees, &outsiders);
    units.iter().map(|unit| unit.id().clone()).zip(families).collect()
}

/// Orphans about to exit that are of no unit: without descriptors and environment by now, each
/// may be of any. They are waited for.
fn nameless(table: &Table, families: &[(UnitId, Family)], others: &Others) -> Vec<Entry> {
    let own = std::process::id();
    let claimed: HashSet<u32> =
        families.iter().flat_map(|(_, family)| family).map(|entry| entry.id.pid).collect();
    let is_nameless = |entry: &&Entry| {
        let pid = entry.id.pid;
        entry.parent == own
            && entry.is_ending()
            && !entry.is_dead()
            && !others.pids().contains(&pid)
            && !claimed.contains(&pid)
    };
    table.entries().iter().filter(is_nameless).cloned().collect()
}
