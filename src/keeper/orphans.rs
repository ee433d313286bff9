//! Orphans: every descendant that has lost its parent comes to us, the subreaper.
//!
//! They are reaped; and those of a tree that is being killed are killed as they come. A look at the
//! whole process table takes its time, and what forks and ends faster than that stays ahead of
//! the looks. But each of its generations, once its parent is dead, is our child, and the list of
//! those is short and read in no time.
//!
//! Whose an orphan is, its relations tell, or the tag that the kernel hands on to descendants, or
//! its mark, or its output. Of a *stray* nothing does: it has thrown away all of that, the tag
//! included. But no unit can have made it that was not there when it started, and who else could
//! have made it is remembered. As soon as one of those units alone is left, it is part of that one.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use super::{
    main_loop::Keeper,
    others::Others,
    protocol::{FromKeeper, UnitId},
    unit::Unit,
};
use crate::{
    model::Signal,
    platform::{self, Entry, Family, KernelTag, Mark, Peek, ProcId, Table},
};

/// No chase takes longer at a time: others wait meanwhile.
const CHASE: Duration = Duration::from_millis(20);

/// The orphans that nothing tells the unit of.
#[derive(Debug, Default)]
pub(super) struct Strays {
    living: BTreeMap<ProcId, Stray>,
    /// Those that several units may have made, for a person.
    pub(super) named: Vec<String>,
}

/// One of them.
#[derive(Debug)]
struct Stray {
    /// The units that may have made it and are not gone.
    makers: Vec<UnitId>,
    /// For a person, if there was more than one when it was found.
    text: Option<String>,
}

impl Keeper {
    /// Reaps what is no unit's main process.
    pub(super) fn reap_orphans(&mut self) {
        // Who has sent a word and ended is known as long as it is not reaped.
        self.hear_notifies();
        let mains = self.mains();
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
    pub(super) fn chase(&mut self) {
        let chased = |unit: &Unit| unit.kill.is_some() && !unit.gone;
        if !self.units.values().any(chased) {
            return;
        }
        self.hear_notifies();
        let until = platform::now() + CHASE;
        while self.kill_orphans() && platform::now() < until {
            // They die, and their children come to us.
            std::thread::yield_now();
        }
    }

    /// Whether there were any.
    fn kill_orphans(&mut self) -> bool {
        let mut any = false;
        let mains = self.mains();
        for pid in platform::children() {
            // A child of ours: its number is its own until it is reaped, here.
            if mains.contains(&pid) || !matches!(platform::reap(pid), Ok(None)) {
                continue;
            }
            let Some(orphan) = Entry::read(pid) else { continue };
            // A stack that the tree has brought up is no part of it.
            let chaser = self.chased_by(&orphan).filter(|_| !platform::is_keeper(pid));
            if let Some(unit) = chaser.and_then(|id| self.units.get_mut(&id)) {
                let _ended = platform::kill_process(pid, Signal::KILL);
                unit.killed.insert(orphan.id);
                any = true;
            }
        }
        any
    }

    /// Which tree that is being killed an orphan belongs to.
    fn chased_by(&self, orphan: &Entry) -> Option<UnitId> {
        let living = || self.units.values().filter(|unit| !unit.gone);
        let by_tag = || {
            let tag = orphan.tag()?;
            living().find(|unit| unit.tag() == tag)
        };
        let by_label = || {
            let (pipes, mark) = (orphan.pipes(), orphan.mark());
            living().find(|unit| {
                unit.outputs.iter().any(|output| pipes.contains(&output.id))
                    || mark.as_ref() == Some(&unit.mark)
            })
        };
        let known = living().find(|unit| unit.known.contains(&orphan.id));
        let unit = known.or_else(by_tag).or_else(by_label)?;
        unit.kill.is_some().then(|| unit.id.clone())
    }

    /// The main processes, which stay zombies until nothing of their units is left.
    fn mains(&self) -> HashSet<u32> {
        let units = self.units.values().filter(|unit| !unit.gone && unit.child);
        units.map(|unit| unit.main.pid).collect()
    }

    /// Adds strays to the families of the units that alone can have made them; tells of those for
    /// which there are several.
    pub(super) fn add_strays(
        &mut self,
        table: &Table,
        others: &Others,
        families: &mut [(UnitId, Family)],
    ) {
        let is_there = |id: &ProcId| {
            table.get(id.pid).is_some_and(|entry| entry.id == *id && !entry.is_dead())
        };
        self.strays.living.retain(|id, _| is_there(id));
        for entry in self.find_strays(table, others, families) {
            let units = &self.units;
            let new = || Stray::new(entry, units.values());
            let stray = self.strays.living.entry(entry.id).or_insert_with(new);
            stray.makers.retain(|id| units.get(id).is_some_and(|unit| !unit.gone));
            if let [only] = stray.makers.as_slice() {
                let family = families.iter_mut().find(|(id, _)| id == only);
                let relatives = || platform::relatives(table, entry.id.pid);
                family.into_iter().for_each(|(_, family)| family.extend(relatives()));
            }
        }
        let living = self.strays.living.values();
        let named: Vec<String> = living.filter_map(|stray| stray.text.clone()).collect();
        if named != self.strays.named {
            self.strays.named.clone_from(&named);
            self.tell(FromKeeper::Strays { processes: named });
        }
    }

    /// Our children that are neither a unit's main process nor known to be of one.
    fn find_strays<'a>(
        &self,
        table: &'a Table,
        others: &Others,
        families: &[(UnitId, Family)],
    ) -> Vec<&'a Entry> {
        let mains = self.mains();
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
            // What a check has left is no unit's. What is about to end may have lost everything.
            let is_another_s = || entry.tag() != untagged || Mark::of(entry).is_some();
            !claimed.contains(&entry.id.pid) && !entry.is_ending() && !is_another_s()
        });
        strays
    }
}

impl Stray {
    /// One that is found now: it can be of any unit that is older.
    fn new<'a>(entry: &Entry, units: impl Iterator<Item = &'a Unit>) -> Self {
        let older = units.filter(|unit| !unit.gone && unit.main.start <= entry.id.start);
        let makers: Vec<UnitId> = older.map(|unit| unit.id.clone()).collect();
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
