//! How large a stack may come to be. A few lines multiply: copies of a service, services by a
//! template, files that include files. Whatever comes to more than this is a mistake, and is told
//! before anything of that size is made.

use std::collections::HashMap;

use super::{
    build::Built,
    decl::Decl,
    merge::{Item, Layered},
    problem::{Problems, WholeProblem},
};

/// So many services and tasks, copies counted.
const MOST_UNITS: usize = 10_000;
/// So many groups.
const MOST_GROUPS: usize = 1000;
/// So many nodes, values and properties of all of them together.
const MOST_SETTINGS: usize = 2_000_000;
/// So many needs, copies counted.
const MOST_NEEDS: usize = 1_000_000;

/// What there is still room for.
#[derive(Debug)]
pub(super) struct Room {
    settings: usize,
    /// It has been told that there is none.
    told: bool,
}

impl Default for Room {
    fn default() -> Self {
        Self { settings: MOST_SETTINGS, told: false }
    }
}

impl Room {
    /// Takes room for these settings of `item`; whether there is as much. That there is none is
    /// told once.
    pub(super) fn take(&mut self, settings: usize, item: &Item, problems: &mut Problems) -> bool {
        let left = self.settings.checked_sub(settings);
        self.settings = left.unwrap_or(0);
        if left.is_none() && !self.told {
            self.told = true;
            problems.add(too_much("settings", MOST_SETTINGS, item));
        }
        left.is_some()
    }
}

/// How many nodes, values and properties a node comes to.
pub(super) fn settings(node: &Decl) -> usize {
    let children: usize = node.children().iter().map(settings).sum();
    1 + node.values.len() + node.props.len() + children
}

/// Leaves out what is too much to be looked at.
pub(super) fn cut(layered: &mut Layered, problems: &mut Problems) {
    for items in [&mut layered.services, &mut layered.tasks] {
        shorten(items, MOST_UNITS, "services and tasks", problems);
    }
    shorten(&mut layered.groups, MOST_GROUPS, "groups", problems);
    let shared: usize = layered.env.iter().map(settings).sum();
    let units = layered.services.iter().chain(&layered.tasks);
    let mut room = Room::default();
    let fits = units.into_iter().all(|item| room.take(shared, item, problems));
    if !fits {
        layered.env.clear();
    }
}

fn shorten(items: &mut Vec<Item>, most: usize, what: &'static str, problems: &mut Problems) {
    if let Some(first) = items.get(most) {
        problems.add(too_much(what, most, first));
        items.truncate(most);
    }
}

/// Whether all copies of everything may be made: the problems say why not.
pub(super) fn check(built: &Built, layered: &Layered, problems: &mut Problems) {
    let stack = &built.stack;
    let several = stack.services.iter().filter(|service| service.replicas > 1);
    let several: HashMap<&str, usize> = several
        .map(|service| {
            let copies = usize::try_from(service.replicas).unwrap_or(usize::MAX);
            (service.name.as_str(), copies)
        })
        .collect();
    let copies = |name: &str| several.get(name).copied().unwrap_or(1);
    let shared: usize = layered.env.iter().map(settings).sum();
    let (mut units, mut needs) = (stack.tasks.len(), 0_usize);
    let mut room = Room::default();
    for (service, item) in stack.services.iter().zip(&layered.services) {
        let own = copies(&service.name);
        units = units.saturating_add(own);
        if units > MOST_UNITS {
            return problems.add(too_much("services and tasks", MOST_UNITS, item));
        }
        let others = service.needs.iter().map(|need| need.name.as_str());
        let others = others.chain(service.after.iter().map(String::as_str));
        let each = others.map(copies).fold(0, usize::saturating_add);
        needs = needs.saturating_add(own.saturating_mul(each));
        if needs > MOST_NEEDS {
            return problems.add(too_much("needs", MOST_NEEDS, item));
        }
        let settings = shared.saturating_add(settings(&item.decl));
        let copied = own.saturating_sub(1).saturating_mul(settings);
        if !room.take(copied, item, problems) {
            return;
        }
    }
}

fn too_much(what: &'static str, most: usize, item: &Item) -> WholeProblem {
    let (kind, name) = (item.decl.spec.name.clone(), item.name.value.clone());
    WholeProblem::TooMuch { what, most, kind, name, at: item.name.span }
}
