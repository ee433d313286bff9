//! Abandoned checks: commands that a supervisor had asked, and whose answer nobody waits for.
//!
//! Checks are no units: they are asked often, and an answer means nothing to the next supervisor.
//! A supervisor ends what it has asked, unless it is killed. But the mark of such a command names
//! who asks: whenever a supervisor, or a keeper, comes after another one, those whose asker is
//! dead are looked for and killed with their trees, until a look finds none.

use std::{collections::HashSet, time::Duration};

use super::{main_loop::Keeper, unit::STUCK};
use crate::{
    event::Tick,
    model::Signal,
    platform::{self, Entry, Mark, ProcId, Process, Table, relatives},
};

const FIRST_PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A search that has not come to its end.
#[derive(Debug)]
pub(super) struct AbandonedChecks {
    since: Tick,
    pause: Duration,
    next: Tick,
    /// Who lived at the last look.
    pub(super) living: Vec<ProcId>,
}

impl AbandonedChecks {
    pub(super) fn deadline(&self) -> Tick {
        self.next
    }
}

/// What a look found.
#[derive(Debug, Default)]
struct Found {
    living: Vec<Entry>,
    /// An asker that has lost its keeper is about to end, and may or may not end what it asked.
    may_be_more: bool,
}

impl Keeper {
    /// There may be some by now.
    pub(super) fn look_for_abandoned(&mut self, now: Tick) {
        self.abandoned =
            Some(AbandonedChecks { since: now, pause: FIRST_PAUSE, next: now, living: Vec::new() });
    }

    /// Takes the next look, if there is one to take.
    pub(super) fn end_abandoned(&mut self, now: Tick) {
        let Some(mut search) = self.abandoned.take_if(|search| now >= search.next) else { return };
        search.next = now + search.pause;
        search.pause = (search.pause * 2).min(LONGEST_PAUSE);
        // Out of descriptors or memory: soon again.
        if let Ok(table) = Table::read() {
            let Found { living, may_be_more } = self.find_abandoned(&table);
            for process in living.iter().filter_map(|entry| Process::open(entry.id)) {
                let _ended = process.signal(Signal::KILL);
            }
            if living.is_empty() && !may_be_more {
                return;
            }
            if !living.is_empty() && now.since(search.since) >= STUCK {
                let who: Vec<String> = living.iter().map(platform::predicament).collect();
                self.trouble_once(format!("a check cannot be ended: {}", who.join(", ")));
            }
            search.living = living.iter().map(|entry| entry.id).collect();
        }
        self.abandoned = Some(search);
    }

    fn find_abandoned(&self, table: &Table) -> Found {
        let own = std::process::id();
        let of_units: HashSet<ProcId> =
            self.units.values().flat_map(|unit| unit.known.iter().copied()).collect();
        let is_candidate = |entry: &&Entry| {
            !entry.is_dead() && entry.id.pid != own && !of_units.contains(&entry.id)
        };
        let mut found = Found::default();
        for entry in table.entries().iter().filter(is_candidate) {
            let mark = Mark::of(entry).filter(|mark| mark.is_of(&self.places));
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
}
