//! What a keeper that was killed has left, as its record and the process table tell. The record may
//! be gone, or be cut short: what carries the stack's mark is looked for in any case.

use std::collections::HashSet;

use super::journal::{self, Told};
use crate::platform::{self, Marked, ProcId, StackPaths, Table};

/// What there is of a stack that no keeper holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaleState {
    /// It was never started since the machine was, or has been stopped.
    Nothing,
    /// Its keeper was killed, and nothing of it lives.
    Dead,
    /// Its keeper was killed, and something of it lives.
    Living,
}

impl StaleState {
    /// Looks, and touches nothing.
    pub fn of(places: &StackPaths) -> Self {
        Self::and_unproved(places).0
    }

    /// The same, with what this user could not look at and may be of the stack: a line for each.
    pub fn and_unproved(places: &StackPaths) -> (Self, Vec<String>) {
        let told = journal::read_newest(places).unwrap_or_default();
        // Who cannot look leaves it to the one who takes over.
        let Ok(table) = Table::read() else { return (Self::Living, Vec::new()) };
        let marked = Marked::of(places, &table);
        // A supervisor that outlives its keeper would bring up again what it believes to run.
        let lives = !marked.processes.is_empty()
            || lives_as_recorded(&told, &table)
            || !platform::supervisors(&table, places.id).is_empty();
        let remains = match (lives, told.is_empty()) {
            (true, _) => Self::Living,
            (false, true) => Self::Nothing,
            (false, false) => Self::Dead,
        };
        // Where nothing ever ran, what is hidden is no news.
        let hides_others = marked.hides_others && remains == Self::Dead;
        (remains, unproved(&Marked { hides_others, ..marked }))
    }
}

/// Whether any process lives that the record names, or that has a pipe which it names.
fn lives_as_recorded(told: &Told, table: &Table) -> bool {
    if told.is_empty() {
        return false;
    }
    let known = told.records.values().flat_map(|record| record.known.iter().copied());
    let known: HashSet<ProcId> = known.chain(told.left.iter().copied()).collect();
    let outputs = told.records.values().flat_map(|record| &record.origin.outputs);
    let pipes: HashSet<platform::FileId> = outputs.map(|output| output.id).collect();
    let mut living = table.entries().iter().filter(|entry| !entry.is_dead());
    living.any(|entry| {
        known.contains(&entry.id) || entry.pipes().iter().any(|pipe| pipes.contains(pipe))
    })
}

/// What a look could not see: a line for each.
pub(super) fn unproved(marked: &Marked) -> Vec<String> {
    let unseen = marked.unseen.iter().map(|entry| {
        let process = platform::predicament(entry);
        format!("{process}: a stack has started it, and nothing tells which")
    });
    let hidden = "other users' processes are hidden here (`hidepid`)".to_owned();
    unseen.chain(marked.hides_others.then_some(hidden)).collect()
}
