//! What must hold for random stacks where nothing goes wrong.

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;
use stackrun::{
    core::stack::Command, event::Cause, graph::Graph, model::Stack, status::ServiceState,
};

use crate::{
    machine::{cases, runner},
    shapes::{EditHow, edit, stacks},
    world::{Seen, World},
};

/// A stack in which nothing goes wrong, everything up.
fn calm(stack: &Stack) -> World {
    let mut world = World::new(stack.clone());
    let names = stack.services.iter().map(|service| service.name.clone()).collect();
    world.ask(Command::Up {
        stack: Box::new(stack.clone()),
        names,
        no_deps: false,
        moved_ports: BTreeSet::new(),
    });
    world.pass(Duration::from_secs(100));
    for view in world.core.services(world.now) {
        assert_eq!(view.state, ServiceState::Ready, "{view:?}");
    }
    world
}

#[test]
fn an_edit_restarts_only_what_changed_and_what_follows_it() {
    let edits = prop::collection::vec((any::<u8>(), 0..3_u8), 1..4);
    let result = runner(cases() / 10).run(&(stacks(), edits), |(stack, edits)| {
        let mut stack = stack.0;
        // A window restarts what it holds down, too.
        for task in &mut stack.tasks {
            task.without.clear();
        }
        let mut world = calm(&stack);
        let before = world.core.services(world.now);
        let mut edited = stack.clone();
        let names: Vec<String> = stack.names().map(str::to_owned).collect();
        let mut changed = BTreeSet::new();
        for (place, how) in edits {
            let name = &names[usize::from(place) % names.len()];
            let how = [EditHow::Command, EditHow::Checks, EditHow::Remove][usize::from(how)];
            edit(&mut edited, name, how);
            let has_process = edited.service(name).is_some_and(|service| !service.is_external());
            if matches!(how, EditHow::Command) && has_process {
                changed.insert(name.clone());
            }
        }
        let graph = Graph::of(&edited);
        let is_service = |id| edited.service(graph.name(id)).is_some();
        let changed = changed.iter().filter_map(|name| graph.id(name));
        let followers = graph.followers(changed, is_service);
        let expected: BTreeSet<&str> = followers
            .iter()
            .map(|&id| graph.name(id))
            .filter(|name| edited.service(name).is_some_and(|service| !service.is_external()))
            .collect();
        let command = Command::Up {
            stack: Box::new(edited.clone()),
            names: vec![],
            no_deps: false,
            moved_ports: BTreeSet::new(),
        };
        let plan = world.core.plan(&command, world.now).expect("nothing is held");
        world.ask(command);
        world.pass(Duration::from_secs(100));
        let after = world.core.services(world.now);
        let restarted: BTreeSet<&str> = after
            .iter()
            .filter(|view| {
                let old = before.iter().find(|old| old.name == view.name);
                old.is_some_and(|old| old.generation != view.generation)
                    && edited.service(&view.name).is_some_and(|service| !service.is_external())
            })
            .map(|view| view.name.as_str())
            .collect();
        prop_assert_eq!(&restarted, &expected);
        let planned: BTreeSet<&str> = plan
            .steps
            .iter()
            .filter(|step| step.action == stackrun::core::plan::Action::Restart)
            .map(|step| step.name.as_str())
            .filter(|name| edited.service(name).is_some_and(|service| !service.is_external()))
            .collect();
        prop_assert_eq!(&planned, &expected);
        let left: BTreeSet<&str> = after.iter().map(|view| view.name.as_str()).collect();
        let services = edited.services.iter().map(|service| service.name.as_str());
        prop_assert_eq!(left, services.collect());
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn a_window_restores_exactly_what_was_up() {
    let result = runner(cases() / 10).run(&(stacks(), any::<u8>()), |(stack, place)| {
        let stack = stack.0;
        let windows = stack.tasks.iter().filter(|task| !task.without.is_empty());
        let windows: Vec<String> = windows.map(|task| task.name.clone()).collect();
        if windows.is_empty() {
            return Ok(());
        }
        let mut world = calm(&stack);
        let (before, seen) = (world.core.services(world.now), world.seen.len());
        let task = windows[usize::from(place) % windows.len()].clone();
        let op = world.ask(Command::Run {
            stack: Box::new(stack.clone()),
            task: task.clone(),
            args: vec![],
            force: true,
            again: false,
        });
        world.pass(Duration::from_secs(200));
        prop_assert_eq!(world.settled.get(&op).map(Vec::len), Some(1));
        // What comes back may need a task with a window of its own.
        let held = |seen: &&Seen| matches!(seen.cause, Cause::Window { .. });
        let inside = world.seen[seen..].iter().filter(held);
        let inside: BTreeSet<&str> = inside.map(|seen| seen.name.as_str()).collect();
        for (old, new) in before.iter().zip(world.core.services(world.now)) {
            prop_assert_eq!(new.state, ServiceState::Ready, "{} after {}", &new.name, &task);
            let same = old.generation == new.generation;
            prop_assert_eq!(!same, inside.contains(new.name.as_str()), "{}", &new.name);
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
