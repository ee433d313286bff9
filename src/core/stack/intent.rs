//! What is wanted: the roots that were asked for, and everything reachable from them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Supervisor;
use crate::graph::Id;

/// What was asked for and not taken back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Intent {
    /// Counts every `up` and `run`.
    pub revision: u64,
    /// Wanted by name.
    pub roots: BTreeMap<String, Root>,
}

/// How something is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Root {
    /// With everything it needs.
    Whole,
    /// By itself (`--no-deps`).
    Bare,
}

/// What is reachable from the roots.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub any: BTreeSet<Id>,
    pub whole: BTreeSet<Id>,
}

impl Intent {
    /// Whether it was asked for by name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.roots.contains_key(name)
    }

    /// Wants something more. What is wanted whole stays so.
    pub(super) fn add(&mut self, name: &str, root: Root) -> bool {
        match self.roots.get(name) {
            Some(Root::Whole) => false,
            Some(Root::Bare) if root == Root::Bare => false,
            Some(Root::Bare) | None => {
                self.roots.insert(name.to_owned(), root);
                true
            }
        }
    }
}

impl Supervisor {
    pub(super) fn reachable(&self) -> Wanted {
        let roots = |kind: Root| {
            let of_kind = self.intent.roots.iter().filter(move |(_, root)| **root == kind);
            of_kind.filter_map(|(name, _)| self.graph.id(name))
        };
        let whole = self.graph.closure(roots(Root::Whole));
        let any = whole.iter().copied().chain(roots(Root::Bare)).collect();
        Wanted { any, whole }
    }

    /// Works out anew what is wanted; everything is looked at again.
    pub(super) fn want(&mut self) {
        let wanted = self.reachable();
        for id in 0..self.nodes.len() {
            self.nodes[id].wanted = wanted.any.contains(&id);
            self.nodes[id].whole = wanted.whole.contains(&id);
            self.mark(id);
        }
    }
}
