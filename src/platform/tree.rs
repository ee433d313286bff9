//! Which processes belong to which unit.
//!
//! A process may leave its group, its session, its parent and its environment behind, but seldom
//! all at once. It belongs to a unit if it descends from it, is in a group or session that one of
//! the unit's processes leads, was seen to descend from it earlier, carries the unit's tag, which
//! the kernel hands on, or the mark in its environment, or has the unit's pipe on one of its first
//! three descriptors. One look at the process table serves all units.
//!
//! A stack that one of its processes has brought up is no part of it: what descends from that
//! stack's keeper does not count.

use std::collections::{HashMap, HashSet};

use super::{Entry, FileId, KeeperOf, KernelTag, ProcId, Table, keepers};

/// What is known of a unit before the look.
#[derive(Debug, Clone, Copy)]
pub struct Tree<'a> {
    /// Its main process; its number is its own as long as it is in the table.
    pub main: ProcId,
    /// The processes found by earlier looks.
    pub known: &'a [ProcId],
    /// Its pipes.
    pub pipes: &'a [FileId],
    /// Its mark: `STACKRUN_ID=…`.
    pub mark: &'a [u8],
    /// The number that the kernel hands on to its descendants.
    pub tag: Option<KernelTag>,
}

/// The processes of one unit, the main one included, the dead ones left out.
pub type Family = Vec<Entry>;

/// The members of each tree, in the trees' order. `outsiders` belong to none (the keeper and its
/// supervisor).
pub fn members(table: &Table, trees: &[Tree<'_>], outsiders: &[u32]) -> Vec<Family> {
    let mut claims = Claims::new(table, outsiders);
    for (tree, seed) in trees.iter().enumerate() {
        claims.claim_if_there(seed.main, tree);
    }
    for (tree, seed) in trees.iter().enumerate() {
        for &known in seed.known {
            claims.claim_if_there(known, tree);
        }
    }
    claims.follow();
    claims.by_label(trees);
    claims.families(trees.len())
}

/// The processes of a tree as its relations alone tell, without a look at pipes and marks: cheap
/// enough to be asked often.
pub fn relatives(table: &Table, main: u32) -> Family {
    let keepers: Vec<u32> = keepers(table).iter().map(|keeper| keeper.pid).collect();
    let mut claims = Claims::new(table, &keepers);
    claims.claim(main, 0);
    claims.follow();
    claims.families(1).pop().unwrap_or_default()
}

/// Keepers, and everything that descends from them.
pub fn below(table: &Table, keepers: &[KeeperOf]) -> HashSet<u32> {
    with_descendants(table, keepers.iter().map(|keeper| keeper.pid).collect())
}

/// Processes, and everything that descends from them.
pub(super) fn with_descendants(table: &Table, processes: Vec<u32>) -> HashSet<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in table.entries().iter().filter(|_| !processes.is_empty()) {
        children.entry(entry.parent).or_default().push(entry.id.pid);
    }
    let mut fresh = processes;
    let mut found = HashSet::new();
    while let Some(pid) = fresh.pop() {
        if found.insert(pid) {
            fresh.extend(children.get(&pid).into_iter().flatten());
        }
    }
    found
}

/// Who belongs to which tree, so far.
struct Claims<'a> {
    table: &'a Table,
    /// By pid: the tree, or none.
    owner: HashMap<u32, Option<usize>>,
    /// Everybody by the number of parent, group and session.
    by_relation: HashMap<u32, Vec<u32>>,
    /// Claimed, their relatives not looked at yet.
    fresh: Vec<(u32, usize)>,
}

impl<'a> Claims<'a> {
    fn new(table: &'a Table, outsiders: &[u32]) -> Self {
        let mut by_relation: HashMap<u32, Vec<u32>> = HashMap::new();
        for entry in table.entries() {
            for relation in [entry.parent, entry.group, entry.session] {
                by_relation.entry(relation).or_default().push(entry.id.pid);
            }
        }
        let owner = outsiders.iter().map(|&pid| (pid, None)).collect();
        Self { table, owner, by_relation, fresh: Vec::new() }
    }

    fn claim_if_there(&mut self, id: ProcId, tree: usize) {
        if self.table.get(id.pid).is_some_and(|entry| entry.id == id) {
            self.claim(id.pid, tree);
        }
    }

    fn claim(&mut self, pid: u32, tree: usize) {
        if let std::collections::hash_map::Entry::Vacant(place) = self.owner.entry(pid) {
            place.insert(Some(tree));
            self.fresh.push((pid, tree));
        }
    }

    /// Claims children, groups and sessions of what is claimed. A number is its owner's as long
    /// as the owner is in the table, be it as a zombie.
    fn follow(&mut self) {
        while let Some((pid, tree)) = self.fresh.pop() {
            for relative in self.by_relation.get(&pid).cloned().unwrap_or_default() {
                self.claim(relative, tree);
            }
        }
    }

    /// Claims by tag, pipe and mark: expensive, so only for what is younger than the oldest unit.
    fn by_label(&mut self, trees: &[Tree<'_>]) {
        let Some(oldest) = trees.iter().map(|tree| tree.main.start).min() else { return };
        let pipes: HashMap<FileId, usize> = (trees.iter().enumerate())
            .flat_map(|(tree, known)| known.pipes.iter().map(move |&pipe| (pipe, tree)))
            .collect();
        let marks: HashMap<&[u8], usize> =
            trees.iter().enumerate().map(|(tree, known)| (known.mark, tree)).collect();
        let tags: HashMap<KernelTag, usize> = (trees.iter().enumerate())
            .filter_map(|(tree, known)| Some((known.tag?, tree)))
            .collect();
        for entry in self.table.entries() {
            let pid = entry.id.pid;
            if entry.id.start < oldest || entry.is_dead() || self.owner.contains_key(&pid) {
                continue;
            }
            // A system call, where the others are files to be read.
            let by_tag = entry.tag().and_then(|tag| tags.get(&tag).copied());
            let by_pipe = || entry.pipes().into_iter().find_map(|pipe| pipes.get(&pipe).copied());
            let by_mark = || entry.mark().and_then(|mark| marks.get(&*mark).copied());
            let tree = by_tag.or_else(by_pipe).or_else(by_mark);
            if let Some(tree) = tree {
                self.claim(pid, tree);
                self.follow();
            }
        }
    }

    fn families(&self, count: usize) -> Vec<Family> {
        let mut families = vec![Family::new(); count];
        for entry in self.table.entries().iter().filter(|entry| !entry.is_dead()) {
            if let Some(Some(tree)) = self.owner.get(&entry.id.pid) {
                families[*tree].push(entry.clone());
            }
        }
        families
    }
}
