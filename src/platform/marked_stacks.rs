//! The stacks that have processes, by the marks of these, and where their folders are.

use std::{collections::BTreeMap, io, path::Path};

use super::{Entry, StackId, StackPaths, Table, describe, mark_of, os, own_uid, user_of};

/// The stacks of which this user has processes, whatever files and sockets say: each with these
/// processes, from one look at all there are.
#[derive(Debug, Default)]
pub struct MarkedStacks(BTreeMap<StackId, Vec<u32>>);

impl MarkedStacks {
    /// Looks.
    ///
    /// # Errors
    ///
    /// Those of reading the process table.
    pub fn read() -> io::Result<Self> {
        let mut stacks: BTreeMap<StackId, Vec<u32>> = BTreeMap::new();
        for entry in own_processes(&Table::read()?) {
            if let Some(stack) = stack_of(entry) {
                stacks.entry(stack).or_default().push(entry.id.pid);
            }
        }
        Ok(Self(stacks))
    }

    /// Which they are.
    pub fn ids(&self) -> impl Iterator<Item = StackId> {
        self.0.keys().copied()
    }

    /// Whether this is one of them.
    pub fn include(&self, stack: StackId) -> bool {
        self.0.contains_key(&stack)
    }

    /// The places of a stack, by the working folders of its processes: the stack's folder is one of
    /// them, or above one of them. One that was removed is reached through the process.
    pub fn places_of(&self, stack: StackId) -> Option<StackPaths> {
        let is_its = |folder: &&Path| StackId::at(folder).is_ok_and(|found| found == stack);
        self.0.get(&stack)?.iter().find_map(|&pid| {
            let named = describe(pid).and_then(|process| process.dir);
            let named = named.and_then(|dir| dir.ancestors().find(is_its).map(Path::to_owned));
            let folder =
                named.or_else(|| os::working_folder(pid).filter(|dir| is_its(&dir.as_path())))?;
            StackPaths::of(&folder).ok()
        })
    }
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
