//! Orphans: every descendant that has lost its parent comes to us, the subreaper.
//!
//! They are reaped; and those of a tree that is being killed are killed as they come. A scan of the
//! whole process table takes its time, and what forks and exits faster than that stays ahead of
//! the scans. But each of its generations, once its parent is dead, is our child, and the list of
//! those is short and read in no time.
//!
//! Which unit an orphan belongs to is told by its relations, or the tag that the kernel hands on to
//! descendants, or its mark, or its output. Of a *stray* nothing tells: it has thrown away all of
//! that, the tag included. But no unit can have made it that was not there when it started, and
//! which units could have made it is remembered. As soon as only one of those is left, the stray is
//! part of that one.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use super::{
    io::Io,
    others::Others,
    protocol::{FromKeeper, UnitId},
    units::{Unit, Units},
};
use crate::{
    model::Signal,
    platform::{self, Entry, Family, KernelTag, Mark, Peek, ProcId, Table},
};

/// No chase takes longer at a time: others wait meanwhile.
const CHASE: Duration = Duration::from_millis(20);

/// Reaps what is no unit's main process.
pub(super) fn reap(units: &mut Units, io: &mut Io) {
    // A process that has sent a message and exited is known as long as it is not reaped.
    units.receive_all(io);
    let mains = units.mains();
    loop {
        match platform::peek_any() {
            Ok(Peek::Ended(pid)) if !mains.contains(&pid) => drop(platform::reap(pid)),
            // The kernel would name the same zombie again: go through the others.
            Ok(Peek::Ended(_)) => break,
            Ok(Peek::Running | Peek::NoChild) | Err(_) => return,
        }
    }
    for pid in platform::children().into_iter().filter(|pid| !mains.contains(pid)) {
        let _lives = platform::reap(pid);
    }
}

/// Kills the orphans of trees that are being killed, as long as more come.
pub(super) fn chase(units: &mut Units, io: &mut Io) {
    if !units.all().any(Unit::is_being_killed) {
        return;
    }
    units.receive_all(io);
    let until = platform::now() + CHASE;
    while kill_orphans(units) && platform::now() < until {
        // They die, and their children come to us.
        std::thread::yield_now();
    }
}

/// Whether there were any.
fn kill_orphans(units: &mut Units) -> bool {
    let mut any = false;
    let mains = units.mains();
    for pid in platform::children() {
        // A child of ours: its number is its own until it is reaped, here.
        if mains.contains(&pid) || !matches!(platform::reap(pid), Ok(None)) {
            continue;
        }
        let Some(orphan) = Entry::read(pid) else { continue };
        // A stack that the tree has brought up is no part of it.
        let unit = unit_being_killed(units, &orphan).filter(|_| !platform::is_keeper(pid));
        if let Some(id) = unit {
            let _ended = platform::kill_process(pid, Signal::KILL);
            units.killed_orphan(&id, orphan.id);
            any = true;
        }
    }
    any
}

/// The unit that an orphan belongs to, if that is being killed.
fn unit_being_killed(units: &Units, orphan: &Entry) -> Option<UnitId> {
    let by_tag = || {
        let tag = orphan.tag()?;
        units.living().find(|unit| unit.tag() == tag)
    };
    let by_label = || {
        let (pipes, mark) = (orphan.pipes(), orphan.mark());
        units.living().find(|unit| {
            unit.pipes().iter().any(|pipe| pipes.contains(pipe))
                || mark.as_ref().is_some_and(|mark| unit.has_mark(mark))
        })
    };
    let known = units.living().find(|unit| unit.known().contains(&orphan.id));
    let unit = known.or_else(by_tag).or_else(by_label)?;
    unit.is_being_killed().then(|| unit.id().clone())
}

/// The orphans that nothing tells the unit of.
#[derive(Debug, Default)]
pub(super) struct Strays {
    living: BTreeMap<ProcId, Stray>,
    /// Those that several units may have made, in a line each.
    named: Vec<String>,
}

/// One of them.
#[derive(Debug)]
struct Stray {
    /// The units that may have made it and are not gone.
    makers: Vec<UnitId>,
    /// For a person, if there was more than one when it was found.
    text: Option<String>,
}

impl Strays {
    pub(super) fn named(&self) -> &[String] {
        &self.named
    }

    /// Adds strays to the families of the units that alone can have made them; tells of those for
    /// which there are several.
    pub(super) fn add_to(
        &mut self,
        families: &mut [(UnitId, Family)],
        table: &Table,
        others: &Others,
        units: &Units,
        io: &mut Io,
    ) {
        let is_there = |id: &ProcId| {
            table.get(id.pid).is_some_and(|entry| entry.id == *id && !entry.is_dead())
        };
        self.living.retain(|id, _| is_there(id));
        for entry in find_strays(table, others, families, units) {
            let new = || Stray::new(entry, units.living());
            let stray = self.living.entry(entry.id).or_insert_with(new);
            stray.makers.retain(|id| units.get(id).is_some_and(|unit| !unit.is_gone()));
            if let [only] = stray.makers.as_slice() {
                let family = families.iter_mut().find(|(id, _)| id == only);
                let relatives = || platform::relatives(table, entry.id.pid);
                family.into_iter().for_each(|(_, family)| family.extend(relatives()));
            }
        }
        let named: Vec<String> =
            self.living.values().filter_map(|stray| stray.text.clone()).collect();
        if named != self.named {
            self.named.clone_from(&named);
            io.outbox.tell(FromKeeper::Strays { processes: named });
        }
    }
}

/// Our children that are neither a unit's main process nor known to be of one.
fn find_strays<'a>(
    table: &'a Table,
    others: &Others,
    families: &[(UnitId, Family)],
    units: &Units,
) -> Vec<&'a Entry> {
    let mains = units.mains();
    let orphans = platform::children().into_iter();
    let orphans = orphans.filter(|pid| !mains.contains(pid) && !others.pids().contains(pid));
    let orphans = orphans.filter_map(|pid| table.get(pid)).filter(|entry| !entry.is_dead());
    let mut strays: Vec<&Entry> = orphans.collect();
    if strays.is_empty() {
        return strays;
    }
    let claimed: HashSet<u32> =
        families.iter().flat_map(|(_, family)| family).map(|entry| entry.id.pid).collect();
    let untagged = KernelTag::of(std::process::id());
    strays.retain(|entry| {
        // What a check has left is no unit's. What is about to exit may have lost everything.
        let is_another_s = || entry.tag() != untagged || Mark::of(entry).is_some();
        !claimed.contains(&entry.id.pid) && !entry.is_ending() && !is_another_s()
    });
    strays
}

impl Stray {
    /// One that is found now: it can be of any unit that is older.
    fn new<'a>(entry: &Entry, living: impl Iterator<Item = &'a Unit>) -> Self {
        let older = living.filter(|unit| unit.main().start <= entry.id.start);
        let makers: Vec<UnitId> = older.map(|unit| unit.id().clone()).collect();
        let text = (makers.len() > 1).then(|| {
            let pid = entry.id.pid;
            let command = platform::command_line(pid).unwrap_or_else(|| entry.name.clone());
            let makers: Vec<String> = makers.iter().map(|id| format!("`{}`", id.name())).collect();
            let makers = makers.join(" or ");
            format!(
                "pid {pid} ({command}) was left behind by {makers}, and nothing tells by which: \
                 it ends with the last of them"
            )
        });
        Self { makers, text }
    }
}
