//! Abandoned checks: commands whose supervisor was killed before they answered.
//!
//! Checks are no units: they are run often, and an answer means nothing to the next supervisor.
//! A supervisor ends the checks that it runs, unless it is killed. But the mark of such a command
//! names the supervisor: whenever one, or a keeper, comes after another one, the checks whose
//! supervisor is dead are looked for and killed with their trees, until a scan finds none.

use std::{collections::HashSet, time::Duration};

use super::{
    io::Io,
    units::{STUCK, Unit, Units},
};
use crate::{
    event::Tick,
    model::Signal,
    platform::{self, Entry, Mark, ProcId, Process, StackPaths, Table, relatives},
};

const FIRST_PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Looks for abandoned checks.
#[derive(Debug, Default)]
pub(super) struct AbandonedChecks {
    search: Option<Search>,
}

/// A search that has not come to its end.
#[derive(Debug)]
struct Search {
    since: Tick,
    pause: Duration,
    next: Tick,
    /// Who lived at the last scan.
    living: Vec<ProcId>,
}

/// What a scan found.
#[derive(Debug, Default)]
struct Found {
    living: Vec<Entry>,
    /// A supervisor that has lost its keeper is about to exit, and may or may not end its checks.
    may_be_more: bool,
}

impl AbandonedChecks {
    /// There may be some by now.
    pub(super) fn look_for(&mut self, now: Tick) {
        let (pause, living) = (FIRST_PAUSE, Vec::new());
        self.search = Some(Search { since: now, pause, next: now, living });
    }

    /// Whether none is left.
    pub(super) fn are_over(&self) -> bool {
        self.search.is_none()
    }

    pub(super) fn deadline(&self) -> Option<Tick> {
        self.search.as_ref().map(|search| search.next)
    }

    /// Those that lived at the last scan.
    pub(super) fn living(&self) -> impl Iterator<Item = ProcId> {
        self.search.iter().flat_map(|search| search.living.iter().copied())
    }

    /// Makes the next scan, if it is due, and kills what it finds.
    pub(super) fn end_if_due(&mut self, units: &Units, io: &mut Io, now: Tick) {
        let Some(mut search) = self.search.take_if(|search| now >= search.next) else { return };
        search.next = now + search.pause;
        search.pause = (search.pause * 2).min(LONGEST_PAUSE);
        // Out of descriptors or memory: soon again.
        if let Ok(table) = Table::read() {
            let Found { living, may_be_more } = find(&table, units, &io.paths);
            for process in living.iter().filter_map(|entry| Process::open(entry.id)) {
                let _ended = process.signal(Signal::KILL);
            }
            if living.is_empty() && !may_be_more {
                return;
            }
            if !living.is_empty() && now.since(search.since) >= STUCK {
                let who: Vec<String> = living.iter().map(platform::predicament).collect();
                io.outbox.trouble_once(format!("a check cannot be ended: {}", who.join(", ")));
            }
            search.living = living.iter().map(|entry| entry.id).collect();
        }
        self.search = Some(search);
    }
}

fn find(table: &Table, units: &Units, paths: &StackPaths) -> Found {
    let own = std::process::id();
    let of_units: HashSet<ProcId> = units.all().flat_map(Unit::known).copied().collect();
    let is_candidate =
        |entry: &&Entry| !entry.is_dead() && entry.id.pid != own && !of_units.contains(&entry.id);
    let mut found = Found::default();
    for entry in table.entries().iter().filter(is_candidate) {
        let mark = Mark::of(entry).filter(|mark| mark.is_of(paths));
        let Some(asker) = mark.and_then(|mark| mark.asker()) else { continue };
        match table.get(asker.pid).filter(|it| it.id == asker && !it.is_dead()) {
            Some(asker) => found.may_be_more |= asker.parent != own,
            None => found.living.extend(relatives(table, entry.id.pid)),
        }
    }
    found.living.retain(|entry| entry.id.pid != own);
    found.living.sort_by_key(|entry| entry.id);
    found.living.dedup_by_key(|entry| entry.id);
    found
}
