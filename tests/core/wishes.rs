//! What people have asked for and not taken back, by the requests alone: the checker's own
//! opinion of what is wanted.

use std::collections::BTreeMap;

use stackrun::{core::stack::Command, graph::Graph, model::Stack};

/// What was asked for by name, and whether with its needs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Desired {
    roots: BTreeMap<String, bool>,
}

impl Desired {
    /// Takes in a request that was not refused; `now` is the stack before it.
    pub(crate) fn hear(&mut self, command: &Command, now: &Stack) {
        match command {
            Command::Up { stack, names, no_deps, .. } => {
                self.roots.retain(|name, _| stack.names().any(|other| other == name));
                if names.is_empty() {
                    let all = stack.services.iter().filter(|service| service.autostart);
                    all.for_each(|service| self.add(&service.name, !no_deps));
                }
                names.iter().for_each(|name| self.add(name, !no_deps));
            }
            Command::Down { names } if names.is_empty() => self.roots.clear(),
            Command::Down { names } => {
                let graph = Graph::of(now);
                let ends = graph.dependents(names.iter().filter_map(|name| graph.id(name)));
                self.roots.retain(|name, _| graph.id(name).is_none_or(|id| !ends.contains(&id)));
            }
            Command::Restart { names, .. } => {
                let asked = names.iter().filter(|name| !self.want(name, now));
                asked.cloned().collect::<Vec<_>>().iter().for_each(|name| self.add(name, true));
            }
            Command::Run { stack, task, .. } => {
                stack.needs(task).iter().for_each(|need| self.add(&need.name, true));
            }
            Command::Wait { .. } => {}
        }
    }

    fn add(&mut self, name: &str, whole: bool) {
        *self.roots.entry(name.to_owned()).or_default() |= whole;
    }

    /// Whether it was asked for, or something that was asked for needs it.
    pub(crate) fn want(&self, name: &str, stack: &Stack) -> bool {
        self.roots.contains_key(name) && stack.names().any(|other| other == name)
            || self.want_whole(name, stack)
    }

    /// Whether it was asked for with its needs, or needed by what was.
    pub(crate) fn want_whole(&self, name: &str, stack: &Stack) -> bool {
        let graph = Graph::of(stack);
        let whole = self.roots.iter().filter(|(_, whole)| **whole);
        let needed = graph.closure(whole.filter_map(|(root, _)| graph.id(root)));
        graph.id(name).is_some_and(|id| needed.contains(&id))
    }
}
