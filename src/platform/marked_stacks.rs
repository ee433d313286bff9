//! The stacks that have processes, by the marks of these, and where their folders are.

use std::path::Path;

use super::{Entry, StackId, StackPaths, Table, describe, mark_of, os, own_uid, user_of};

/// The stacks of which this user has processes, whatever files and sockets say.
///
/// # Errors
///
/// Those of reading the process table.
pub fn marked_stacks() -> std::io::Result<Vec<StackId>> {
    let table = Table::read()?;
    let mut stacks: Vec<StackId> = own_processes(&table).filter_map(stack_of).collect();
    stacks.sort_unstable();
    stacks.dedup();
    Ok(stacks)
}

/// The places of a stack, by the working folders of its processes: the stack's folder is one of
/// them, or above one of them. One that was removed is reached through the process.
pub(super) fn places_by_process(stack: StackId) -> Option<StackPaths> {
    let table = Table::read().ok()?;
    let is_its = |folder: &&Path| StackId::at(folder).is_ok_and(|found| found == stack);
    own_processes(&table).filter(|entry| stack_of(entry) == Some(stack)).find_map(|entry| {
        let pid = entry.id.pid;
        let named = describe(pid).and_then(|process| process.dir);
        let named = named.and_then(|dir| dir.ancestors().find(is_its).map(Path::to_owned));
        let folder =
            named.or_else(|| os::working_folder(pid).filter(|dir| is_its(&dir.as_path())))?;
        StackPaths::of(&folder).ok()
    })
}

fn own_processes(table: &Table) -> impl Iterator<Item = &Entry> {
    let own = std::process::id();
    table.entries().iter().filter(move |entry| {
        !entry.is_dead() && entry.id.pid != own && user_of(entry.id.pid) == Some(own_uid())
    })
}

fn stack_of(process: &Entry) -> Option<StackId> {
    mark_of(process)?.stack.parse().ok()
}
