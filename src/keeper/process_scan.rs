//! Looks at the process table, and the ladder that ends a tree.
//!
//! A look finds every process of every unit, and remembers them: descendants are recorded before
//! the first signal, since afterwards nothing may tell where an orphan came from. A kill goes to
//! the process group first, all of it at once, as long as its leader is an unreaped child; then
//! to everybody else through a verified pidfd; and again, until a look finds nobody. Looks are
//! rationed: what one has cost is waited for three times over before the next, so that a thousand
//! ends in a row cost a few looks, and a single one is looked at at once. What forks and ends faster
//! than the table is read is caught between the looks, as it comes to us as an orphan.

use std::{io, time::Duration};

use super::{
    main_loop::Keeper,
    others::Others,
    protocol::{FromKeeper, UnitId},
    unit::{STUCK, Unit},
};
use crate::{
    event::Tick,
    model::Signal,
    platform::{self, Cgroup, Entry, Family, ProcId, Process, Table},
};

/// How the time between looks is rationed: so many times what one costs.
const RATION: u32 = 3;

/// What the looks are for, and when the next one may be.
#[derive(Debug, Default)]
pub(super) struct ScanSchedule {
    /// The last one is paid for by then.
    pub(super) not_before: Tick,
    /// Signals for trees, and those for main processes that came after them.
    pub(super) signals: Vec<Sending>,
}

/// A signal that waits for a look.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) unit: UnitId,
    pub(super) signal: Signal,
    /// To everybody, or to the main process alone.
    pub(super) tree: bool,
    /// Whether it asks the unit to end, which is done once.
    pub(super) stop: bool,
}

/// Sends a signal; after one that asks to end also CONT, so that a stopped process gets it.
fn deliver(process: &Process, signal: Signal) {
    // It may have ended just now, or be another user's: the next look will tell.
    let _refused = process.signal(signal);
    if wakes(signal) {
        let _refused = process.signal(CONTINUE);
    }
}

/// How soon orphans about to end are looked at again.
const NAMELESS: Duration = Duration::from_millis(3);

const CONTINUE: Signal = Signal::from_number(libc::SIGCONT);

fn wakes(signal: Signal) -> bool {
    matches!(signal.number(), libc::SIGTERM | libc::SIGINT | libc::SIGHUP | libc::SIGQUIT)
}

impl Keeper {
    /// Looks, if any unit asks for it and the last look is paid for.
    pub(super) fn look_if_due(&mut self, now: Tick) {
        let due = |unit: &Unit| unit.look.is_some_and(|look| now >= look);
        if now >= self.looks.not_before && self.units.values().any(due) {
            self.look(now);
        }
    }

    fn look(&mut self, now: Tick) {
        let began = platform::now();
        let Ok(table) = Table::read() else {
            // Out of descriptors or memory: soon again.
            self.looks.not_before = began + STUCK / 20;
            return;
        };
        let others = Others::find(&table);
        let mut families = self.families(&table, &others);
        self.add_strays(&table, &others, &mut families);
        let took = platform::now().since(began);
        self.looks.not_before = platform::now() + took * RATION;
        for (id, family) in &families {
            if let Some(unit) = self.units.get_mut(id) {
                let known: Vec<ProcId> = family.iter().map(|entry| entry.id).collect();
                unit.changed |= known != unit.known;
                unit.known = known;
            }
        }
        for sending in std::mem::take(&mut self.looks.signals) {
            self.deliver(&sending);
        }
        let nameless = self.nameless(&table, &families, &others);
        for (id, family) in families {
            self.seen(&id, &family, (&nameless, &others), now);
        }
        self.chase();
    }

    /// Sends a signal, once a look that it needs was taken.
    pub(super) fn deliver(&mut self, sending: &Sending) {
        let Sending { unit: id, signal, tree, stop } = sending;
        if *stop {
            match self.units.get_mut(id) {
                Some(unit) if !unit.asked_to_end => unit.asked_to_end = true,
                Some(_) | None => return,
            }
            // Whoever takes over must not ask a second time.
            self.record_unit(id);
            self.write_journal();
        }
        match self.units.get(id) {
            // Who was left by a main process that has ended is asked in its place.
            Some(unit) if *tree || *stop && unit.end.is_some() => signal_tree(unit, *signal),
            Some(unit) => signal_main(unit, *signal),
            None => {}
        }
    }

    /// The processes of every unit that is not gone.
    fn families(&self, table: &Table, others: &Others) -> Vec<(UnitId, Family)> {
        let units: Vec<&Unit> = self.units.values().filter(|unit| !unit.gone).collect();
        // A cgroup holds what was started in it, of whichever stack.
        let grouped = units.iter().flat_map(|unit| unit.group.iter().flat_map(Cgroup::pids));
        let grouped = grouped.filter_map(|pid| table.get(pid));
        let strangers = grouped.filter(|entry| others.have(entry, &self.places));
        let outsiders = others.pids().iter().copied().chain([std::process::id()]);
        let outsiders: Vec<u32> = outsiders.chain(strangers.map(|entry| entry.id.pid)).collect();
        let pipes: Vec<Vec<_>> = units
            .iter()
            .map(|unit| unit.outputs.iter().map(|output| output.id).collect())
            .collect();
        let known: Vec<Vec<_>> = units.iter().map(|unit| unit.known_and_grouped(table)).collect();
        let trees: Vec<_> = (units.iter().zip(&pipes).zip(&known))
            .map(|((unit, pipes), known)| unit.tree(pipes, known))
            .collect();
        let families = platform::members(table, &trees, &outsiders);
        units.iter().map(|unit| unit.id.clone()).zip(families).collect()
    }

    /// Orphans about to end that nothing claims: without descriptors and environment by now, each
    /// may be anybody's. They are waited for.
    fn nameless(
        &self,
        table: &Table,
        families: &[(UnitId, Family)],
        others: &Others,
    ) -> Vec<Entry> {
        let own = std::process::id();
        let is_orphan =
            |entry: &&Entry| entry.parent == own && !others.pids().contains(&entry.id.pid);
        let orphans = table.entries().iter().filter(is_orphan);
        let ending = orphans.filter(|entry| entry.is_ending() && !entry.is_dead());
        let claimed = |pid: u32| {
            families.iter().any(|(_, family)| family.iter().any(|entry| entry.id.pid == pid))
        };
        ending.filter(|entry| !claimed(entry.id.pid)).cloned().collect()
    }

    /// Acts on what a look found of one unit.
    fn seen(
        &mut self,
        id: &UnitId,
        family: &[Entry],
        (nameless, others): (&[Entry], &Others),
        now: Tick,
    ) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let due = unit.look.is_some_and(|look| now >= look);
        let main = unit.main;
        let rest: Vec<&Entry> = family.iter().filter(|entry| entry.id != main).collect();
        let undecided = unit.count_left(&rest, now);
        if let (Some(end), true) = (&mut unit.end, rest.is_empty()) {
            let may_be_its = |entry: &Entry| entry.id.start >= main.start;
            if nameless.iter().any(may_be_its) && now.since(end.at) < STUCK {
                unit.look = Some(now + NAMELESS);
            } else if !end.empty {
                end.empty = true;
                unit.look = None;
                // Nobody writes any more: what is in the pipe now is all.
                self.drain(id, now);
            }
            return;
        }
        if !due {
            return;
        }
        unit.look = if unit.end.is_none() { unit.remember(now) } else { undecided };
        let stuck = kill_if_asked(unit, family, others, now);
        let watched: Vec<ProcId> = unit.watched.values().map(Process::id).collect();
        if unit.end.is_some() || unit.kill.is_some() {
            let rest = rest.iter().map(|entry| entry.id).filter(|id| !watched.contains(id));
            for process in rest.filter_map(Process::open) {
                self.watch_leftover(id, process);
            }
        }
        if let Some(processes) = stuck {
            self.tell(FromKeeper::Stuck { unit: id.clone(), processes });
        }
    }

    fn watch_leftover(&mut self, id: &UnitId, process: Process) {
        let token = self.watch(id, &process);
        if let Some(unit) = self.units.get_mut(id) {
            if process.ended().is_none() {
                unit.look.get_or_insert(platform::now() + STUCK / 10);
            }
            unit.watched.insert(token, process);
        }
    }

    /// Tells of ends, and of units of which nothing is left.
    pub(super) fn tell_ends(&mut self, now: Tick) {
        let mut news = Vec::new();
        for unit in self.units.values_mut().filter(|unit| !unit.gone) {
            unit.ask_exit_again();
            let Some(end) = &mut unit.end else { continue };
            if end.is_tellable(now) {
                end.told = true;
                unit.changed = true;
                let (exit, at, left) = (end.exit, end.at, end.left.unwrap_or(0));
                let background = end.background.clone();
                let out_of_memory = end.out_of_memory;
                let unit = unit.id.clone();
                news.push(FromKeeper::Exited { unit, exit, left, background, out_of_memory, at });
            }
            if end.is_over(now) {
                unit.gone = true;
                unit.changed = true;
                let swept = unit.killed.difference(&unit.refused).count();
                news.push(FromKeeper::Gone { unit: unit.id.clone(), swept });
                release(unit);
                if let Some(notify) = unit.notify.take() {
                    self.poller.remove(&notify);
                    self.notifies.retain(|_, of| *of != unit.id);
                }
                self.tokens.retain(|token, _| !unit.watched.contains_key(token));
                unit.watched.clear();
            }
        }
        for message in news {
            self.tell(message);
        }
    }
}

/// The main process may be reaped now, and its pipes have no more names.
fn release(unit: &Unit) {
    if unit.child {
        let _taken_over = platform::reap(unit.main.pid);
    }
    for output in &unit.outputs {
        let _gone_already = std::fs::remove_file(&output.path);
    }
    unit.group.iter().for_each(Cgroup::remove);
}

/// Sends a signal to the main process, if it has not ended.
fn signal_main(unit: &Unit, signal: Signal) {
    if let (None, Some(process)) = (&unit.end, &unit.process) {
        deliver(process, signal);
    }
}

/// Sends a signal to everybody: the group at once, then each one who is not in it.
fn signal_tree(unit: &Unit, signal: Signal) {
    let main = unit.main;
    let group = unit.child.then_some(main.pid);
    if let Some(group) = group {
        let _empty = platform::kill_group(group, signal);
        if wakes(signal) {
            let _empty = platform::kill_group(group, CONTINUE);
        }
    } else if let Some(process) = &unit.process {
        deliver(process, signal);
    }
    for &other in unit.known.iter().filter(|&&id| id != main) {
        let in_group = group.is_some() && Entry::read(other.pid).map(|e| e.group) == group;
        if !in_group && let Some(process) = Process::open(other) {
            deliver(&process, signal);
        }
    }
}

/// A step of the ladder, if the unit is to be killed. Returns who survives, when it is time to
/// say so.
fn kill_if_asked(
    unit: &mut Unit,
    family: &[Entry],
    others: &Others,
    now: Tick,
) -> Option<Vec<String>> {
    let kill = unit.kill.as_mut()?;
    let main = unit.main;
    let newcomers = family.iter().filter(|entry| entry.id != main);
    // As long as there are new ones it is a race.
    if newcomers.filter(|entry| unit.killed.insert(entry.id)).count() > 0 {
        kill.hurry();
    }
    unit.look = Some(kill.next_look(now));
    if let Some(group) = &unit.group
        && !group.pids().iter().any(|pid| others.pids().contains(pid))
    {
        // An older kernel: the rest of the ladder does it.
        let _one_by_one = group.kill();
    }
    if unit.child {
        let _empty = platform::kill_group(main.pid, Signal::KILL);
    }
    if let (None, Some(process)) = (&unit.end, &unit.process) {
        let _ended = process.signal(Signal::KILL);
    }
    for entry in family.iter().filter(|entry| entry.id != main) {
        if let Some(process) = Process::open(entry.id) {
            let sent = process.signal(Signal::KILL);
            // It may end by itself, but not by us.
            if sent.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
                unit.refused.insert(entry.id);
            }
        }
    }
    let stuck = now.since(kill.since) >= STUCK && !kill.stuck_told && !family.is_empty();
    kill.stuck_told |= stuck;
    stuck.then(|| family.iter().map(platform::predicament).collect())
}
