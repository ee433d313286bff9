//! Orphans: every descendant that has lost its parent comes to us, the subreaper.
//!
//! They are reaped; and those of a tree that is being killed are killed as they come. A look at the
//! whole process table takes its time, and what forks and ends faster than that stays ahead of
//! the looks. But each of its generations, once its parent is dead, is our child, and the list of
//! those is short and read in no time.

use std::{collections::HashSet, time::Duration};

use super::{keep::Keeper, protocol::UnitId, unit::Unit};
use crate::{
    model::Signal,
    platform::{self, Entry, Peek},
};

/// No chase takes longer at a time: others wait meanwhile.
const CHASE: Duration = Duration::from_millis(20);

impl Keeper {
    /// Reaps what is no unit's main process.
    pub(super) fn reap_orphans(&mut self) {
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
        let is_known = |unit: &Unit| unit.known.contains(&orphan.id);
        let mut known = self.units.values().filter(|unit| !unit.gone && is_known(unit));
        let unit = match known.next() {
            Some(unit) => unit,
            None => {
                let (pipes, mark) = (orphan.pipes(), orphan.mark());
                self.units.values().filter(|unit| !unit.gone).find(|unit| {
                    unit.outputs.iter().any(|output| pipes.contains(&output.id))
                        || mark.as_ref() == Some(&unit.mark)
                })?
            }
        };
        unit.kill.is_some().then(|| unit.id.clone())
    }

    /// The main processes, which stay zombies until nothing of their units is left.
    fn mains(&self) -> HashSet<u32> {
        let units = self.units.values().filter(|unit| !unit.gone && unit.child);
        units.map(|unit| unit.main.pid).collect()
    }
}
