//! Reads the records as a stranger would and checks what must hold at each.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use stackrun::{
    event::{Cause, Event, Tick},
    graph::Graph,
    model::{NeedUntil, Stack},
};

use crate::world::{Seen, World};

/// The longest a stop of one of the random services may take: the command's grace, the signal's,
/// the kill's, the ports', cleanup, after-stop.
const STOP_WITHIN: Duration = Duration::from_secs(10 + 10 + 5 + 5 + 10 + 10 + 1);
/// The same for a cancelled task with its `on-failure`.
const CANCEL_WITHIN: Duration = Duration::from_secs(10 + 5 + 60 + 1);

/// What the records alone say of one service or task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Shown {
    #[default]
    Down,
    Starting,
    Started,
    Ready,
    Unhealthy,
    Stopping,
    Over,
    Failed,
    Done,
}

/// Follows the records and checks what must hold at each.
pub(crate) struct Checker {
    shown: BTreeMap<String, Shown>,
    /// Names that ever failed: what needs them optionally may go ahead.
    failed: BTreeSet<String>,
    /// Names that were asked for without their needs.
    pub(crate) bare: BTreeSet<String>,
    stopping: BTreeMap<String, Tick>,
    stuck: BTreeSet<String>,
    pub(crate) backoffs: BTreeMap<String, Vec<Tick>>,
    pub(crate) downs: BTreeSet<String>,
    read: usize,
}

impl Checker {
    pub(crate) fn new() -> Self {
        Self {
            shown: BTreeMap::new(),
            failed: BTreeSet::new(),
            bare: BTreeSet::new(),
            stopping: BTreeMap::new(),
            stuck: BTreeSet::new(),
            backoffs: BTreeMap::new(),
            downs: BTreeSet::new(),
            read: 0,
        }
    }

    pub(crate) fn observe(&mut self, world: &World) {
        let stack = world.core.stack();
        for seen in &world.seen[self.read..] {
            self.starts_only_when_needs_hold(seen, stack);
            self.no_need_stops_before_its_dependents(seen, stack);
            self.restarts_bounded_in_window(seen, stack);
            self.fold(seen, stack);
        }
        self.read = world.seen.len();
        self.every_stop_ends_by_its_deadline(world);
    }

    fn shown(&self, name: &str) -> Shown {
        self.shown.get(name).copied().unwrap_or_default()
    }

    fn fold(&mut self, seen: &Seen, stack: &Stack) {
        let name = seen.name.clone();
        let is_task = stack.task(&name).is_some();
        let shown = match &seen.event {
            Event::Starting => Shown::Starting,
            Event::Spawned { .. } | Event::Running { .. } => match self.shown(&name) {
                Shown::Stopping => Shown::Stopping,
                _ => Shown::Started,
            },
            Event::Ready { .. } => Shown::Ready,
            Event::Unhealthy { .. } => Shown::Unhealthy,
            Event::Stopping => {
                self.stopping.entry(name.clone()).or_insert(seen.at);
                Shown::Stopping
            }
            Event::Exited { .. } if is_task => Shown::Stopping,
            Event::Exited { .. } if self.shown(&name) != Shown::Stopping => Shown::Over,
            Event::Stopped => Shown::Down,
            Event::Backoff { .. } | Event::Failed { .. } => {
                self.failed.insert(name.clone());
                Shown::Failed
            }
            Event::Done { .. } | Event::Skipped { .. } => Shown::Done,
            Event::Stuck { .. } => {
                self.stuck.insert(name);
                return;
            }
            _ => return,
        };
        if shown != Shown::Stopping {
            self.stopping.remove(&name);
            self.stuck.remove(&name);
        }
        self.shown.insert(name, shown);
    }

    fn starts_only_when_needs_hold(&self, seen: &Seen, stack: &Stack) {
        if seen.event != Event::Starting || self.bare.contains(&seen.name) {
            return;
        }
        // An external service that is looked at again is up all the time.
        if self.shown(&seen.name) == Shown::Ready {
            return;
        }
        let graph = Graph::of(stack);
        for need in stack.needs(&seen.name) {
            let shown = self.shown(&need.name);
            let is_task = stack.task(&need.name).is_some();
            let holds = match need.until {
                NeedUntil::Ready => matches!(shown, Shown::Ready | Shown::Done),
                NeedUntil::Started => {
                    matches!(shown, Shown::Ready | Shown::Done | Shown::Started | Shown::Unhealthy)
                }
            };
            let behind = graph.closure(graph.id(&need.name));
            // What is stuck inside a task's window blocks the task, and what needs that.
            let excused = need.optional
                && (!self.stuck.is_empty()
                    || behind.iter().any(|&id| {
                        self.failed.contains(graph.name(id))
                            || self.shown(graph.name(id)) == Shown::Over
                    }));
            // Retries of a task are not starts of their own.
            let retry =
                stack.task(&seen.name).is_some() && self.shown(&seen.name) == Shown::Stopping;
            assert!(
                holds || excused || retry,
                "{seen:?} though {} is {shown:?} (task: {is_task})",
                need.name
            );
        }
    }

    fn no_need_stops_before_its_dependents(&self, seen: &Seen, stack: &Stack) {
        let Cause::Command { command, .. } = &seen.cause else { return };
        if seen.event != Event::Stopping || !self.downs.contains(command) {
            return;
        }
        // It had ended by itself, or its end was on the way: what is stopped is its restart.
        if matches!(self.shown(&seen.name), Shown::Over | Shown::Stopping) {
            return;
        }
        for dependent in stack.names() {
            if self.bare.contains(dependent) || self.stuck.contains(dependent) {
                continue;
            }
            if stack.needs(dependent).iter().any(|need| need.name == seen.name) {
                let shown = self.shown(dependent);
                let down = matches!(shown, Shown::Down | Shown::Over | Shown::Failed | Shown::Done);
                assert!(down, "{seen:?} before {dependent}, which is {shown:?}");
            }
        }
    }

    fn restarts_bounded_in_window(&mut self, seen: &Seen, stack: &Stack) {
        let (Event::Backoff { attempt, of, .. }, Some(service)) =
            (&seen.event, stack.service(&seen.name))
        else {
            return;
        };
        assert!(attempt <= of, "{seen:?}");
        let at = self.backoffs.entry(seen.name.clone()).or_default();
        at.push(seen.at);
        at.retain(|at| seen.at.since(*at) < service.restart.within);
        assert!(at.len() <= *of as usize, "{} restarts of {}", at.len(), seen.name);
    }

    fn every_stop_ends_by_its_deadline(&self, world: &World) {
        for (name, since) in &self.stopping {
            let within = match world.core.task(name) {
                Some(_) => CANCEL_WITHIN,
                None => STOP_WITHIN,
            };
            let late = world.now.since(*since) > within;
            assert!(!late || self.stuck.contains(name), "{name} stops since {since:?}");
        }
    }
}
