//! What a keeper that was killed has left, as the files and the process table tell.

use std::collections::HashSet;

use super::journal;
use crate::platform::{self, Mark, Places, Table};

/// What there is of a stack that nobody holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remains {
    /// It was never started since the machine was, or has been stopped.
    Nothing,
    /// Whoever held it was killed, and nothing of it lives.
    Dead,
    /// Whoever held it was killed, and something of it lives.
    Living,
}

impl Remains {
    /// Looks, and touches nothing.
    pub fn of(places: &Places) -> Self {
        let Ok(told) = journal::read_newest(places) else { return Self::Nothing };
        if told.records.is_empty() && told.papers.is_empty() {
            return Self::Nothing;
        }
        // Who cannot look leaves it to the one who takes over.
        let Ok(table) = Table::read() else { return Self::Living };
        let known: HashSet<platform::ProcId> =
            told.records.values().flat_map(|record| record.known.iter().copied()).collect();
        let pipes: HashSet<platform::FileId> = told
            .records
            .values()
            .flat_map(|record| record.outputs.iter().map(|output| output.id))
            .collect();
        let is_of_it = |entry: &&platform::Entry| {
            let marked = || Mark::of(entry).is_some_and(|mark| mark.is_of(places));
            known.contains(&entry.id)
                || marked()
                || entry.pipes().iter().any(|pipe| pipes.contains(pipe))
        };
        let mut living = table.entries().iter().filter(|entry| !entry.is_dead());
        if living.any(|entry| is_of_it(&entry)) { Self::Living } else { Self::Dead }
    }
}
