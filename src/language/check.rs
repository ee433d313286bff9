//! Checks of the whole: what no node shows by itself.

use std::collections::{HashMap, HashSet};

use super::{
    build::Built,
    cycle::Needs,
    decl::Decl,
    merge::{Item, Layered},
    problem::{PortProblem, Problems, Warning, WholeProblem},
    source::Spanned,
    unsupported,
};
use crate::model::{Port, RestartWhen, Service};

/// Checks a stack that has been built.
pub(super) fn check(built: &Built, layered: &Layered, problems: &mut Problems) {
    let needs = Needs::new(&built.edges);
    for edges in needs.cycles() {
        problems.add(WholeProblem::Cycle { edges });
    }
    ports(built, problems);
    windows(built, layered, &needs, problems);
    uses(built, layered, &needs, problems);
    for item in layered.services.iter().chain(&layered.tasks) {
        after_in_vain(item, built, &needs, problems);
    }
    let services = built.stack.services.iter().zip(&layered.services);
    for (service, item) in services {
        alive_without_restart(service, item, problems);
        without_effect(service, item, problems);
        external(service, item, problems);
    }
}

/// Two services, one port.
fn ports(built: &Built, problems: &mut Problems) {
    let mut taken: HashMap<u16, Vec<(&Port, Spanned<String>)>> = HashMap::new();
    for service in &built.stack.services {
        let places = built.places.get(&service.name).into_iter().flatten();
        for (port, at) in service.ports.iter().zip(places) {
            // What is on another machine takes no port here.
            let elsewhere = port.host.as_deref().is_some_and(|host| !local(host));
            if service.is_external() && elsewhere {
                continue;
            }
            for number in numbers(port, service.replicas) {
                let claims = taken.entry(number).or_default();
                let second = Spanned::new(service.name.clone(), *at);
                if let Some((_, first)) = claims.iter().find(|(other, _)| clash(port, other)) {
                    let first = first.clone();
                    problems.add(PortProblem::SamePort { number, first, second });
                    break;
                }
                claims.push((port, second));
            }
        }
    }
}

/// The numbers that a port has, over all copies of its service.
fn numbers(port: &Port, replicas: u32) -> impl Iterator<Item = u16> {
    let copies = replicas.min(u32::from(u16::MAX));
    let first = port.number.fixed().map(u32::from);
    first.into_iter().flat_map(move |first| first..first + copies).map_while(|n| n.try_into().ok())
}

fn local(host: &str) -> bool {
    matches!(host, "localhost" | "::1" | "0.0.0.0" | "::") || host.starts_with("127.")
}

/// Whether two ports of one number get in each other's way.
fn clash(one: &Port, other: &Port) -> bool {
    use crate::model::Busy;
    let gives_way = one.busy == Busy::Next || other.busy == Busy::Next;
    let apart = matches!((&one.host, &other.host), (Some(one), Some(other)) if one != other);
    !gives_way && !apart
}

/// Tasks and what must be down meanwhile.
fn windows(built: &Built, layered: &Layered, needs: &Needs<'_>, problems: &mut Problems) {
    for (task, item) in built.stack.tasks.iter().zip(&layered.tasks) {
        for service in &task.without {
            let Some(at) = place(&item.decl, service) else { continue };
            if let Some(path) = needs.path(&task.name, service) {
                let (task, service) = (task.name.clone(), service.clone());
                problems.add(WholeProblem::WithoutNeeded { task, service, at, path });
            } else if let Some(path) = needs.path(service, &task.name) {
                let (task, service) = (task.name.clone(), service.clone());
                problems.add(WholeProblem::NeedsWithout { service, task, path, at });
            }
        }
    }
}

/// Where `without` names the service (or, failing that, a group).
fn place(task: &Decl, service: &str) -> Option<super::source::Span> {
    let without = task.one("without")?;
    let own = without.texts().find(|name| name.value == service);
    own.or_else(|| without.text()).map(|name| name.span)
}

/// Each `after` of what needs the one in which it stands.
fn after_in_vain(item: &Item, built: &Built, needs: &Needs<'_>, problems: &mut Problems) {
    let name = &item.name.value;
    let nodes = item.decl.children().iter().filter(|child| child.name.value == "after");
    for named in nodes.flat_map(Decl::texts) {
        let members = built.stack.members(named.value).unwrap_or_default();
        for after in members.iter().filter(|after| *after != name) {
            if let Some(path) = needs.path(after, name) {
                let (name, after, at) = (name.clone(), after.clone(), named.span);
                problems.add(Warning::AfterInVain { name, after, at, path });
            }
        }
    }
}

/// A port of one that it does not need.
fn uses(built: &Built, layered: &Layered, needs: &Needs<'_>, problems: &mut Problems) {
    // What could not be read of one may be its `needs`.
    let damaged = layered.services.iter().chain(&layered.tasks).filter(|item| item.decl.damaged);
    let damaged: HashSet<&str> = damaged.map(|item| item.name.value.as_str()).collect();
    let is_unsure = |user: &str| {
        damaged.contains(user) || damaged.iter().any(|damaged| needs.reaches(user, damaged))
    };
    for use_ in &built.uses {
        if !needs.reaches(&use_.user, &use_.owner) && !is_unsure(&use_.user) {
            let (user, owner) = (use_.user.clone(), use_.owner.clone());
            let (text, at) = (use_.text.clone(), use_.at);
            problems.add(Warning::PortWithoutNeed { user, owner, text, at });
        }
    }
}

/// What has no effect yet, where it stands.
fn without_effect(service: &Service, item: &Item, problems: &mut Problems) {
    for key in unsupported::of_service(service) {
        let (node, prop) =
            key.split_once('.').map_or((key, None), |(node, prop)| (node, Some(prop)));
        let nodes = item.decl.children().iter().filter(|child| child.name.value == node);
        let place = |node: &Decl| match prop {
            None => Some(node.span()),
            Some(name) => {
                let mut props = node.props.iter();
                props.find(|prop| prop.name.value == name).map(|prop| prop.name.span)
            }
        };
        for at in nodes.filter_map(place) {
            let path = format!("{}.{key}", service.name);
            problems.add(Warning::NoEffect { path, at });
        }
    }
}

/// What has no effect where nothing of ours runs.
const OF_PROCESSES: [&str; 13] = [
    "before-start",
    "after-ready",
    "after-stop",
    "stop",
    "cleanup",
    "memory",
    "limit",
    "log",
    "stdin",
    "tty",
    "color",
    "succeeds-with",
    "watch",
];

/// A service elsewhere: what is said of processes that it has not, and whether anything is checked.
fn external(service: &Service, item: &Item, problems: &mut Problems) {
    let Some(external) = item.decl.one("external").filter(|_| service.is_external()) else {
        return;
    };
    let name = || service.name.clone();
    // Defaults and templates are for others, too.
    for node in item.decl.children().iter().filter(|node| node.via.is_none()) {
        let acts = node.props.iter().any(|prop| prop.name.value == "task");
        if OF_PROCESSES.contains(&&*node.name.value) && !acts {
            let (node, at) = (node.name.value.clone(), node.span());
            let external = external.span();
            problems.add(Warning::NothingRuns { service: name(), node, at, external });
        }
    }
    let checked = !service.ready.checks.is_empty() || !service.ports.is_empty();
    if !checked && !item.decl.damaged {
        problems.add(Warning::Unchecked { service: name(), at: external.span() });
    }
}

fn alive_without_restart(service: &Service, item: &Item, problems: &mut Problems) {
    if service.alive.is_none() || service.restart.when != RestartWhen::Never {
        return;
    }
    let (Some(alive), Some(restart)) = (item.decl.one("alive"), item.decl.one("restart")) else {
        return;
    };
    let never = restart.values.first().map_or(restart.span(), |value| value.span);
    problems.add(Warning::AliveWithoutRestart { alive: alive.span(), never });
}
