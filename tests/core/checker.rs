//! Reads the records as a stranger would and checks what must hold at each.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use stackrun::{
    core::stack::Command,
    event::{Cause, Event, Tick},
    graph::{Edge, Graph},
    model::{NeedUntil, Service, Stack},
    status::{Because, ServiceState, TaskState},
};

use crate::{
    wishes::Desired,
    world::{Seen, World},
};

/// The longest a stop of one of the random services may take: the command's grace, the signal's,
/// the kill's, the ports', cleanup, after-stop.
const STOP_WITHIN: Duration = Duration::from_secs(10 + 10 + 5 + 5 + 10 + 10 + 5 + 1);
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
    /// What has failed and has not been well since: what needs it optionally may go ahead.
    failed: BTreeSet<String>,
    /// When it last failed, and since when something waits to start: an optional need that fails
    /// meanwhile is not waited for any more.
    failed_at: BTreeMap<String, Tick>,
    waits_since: BTreeMap<String, Tick>,
    /// What was started last without one of its needs, as was asked for.
    bare: BTreeSet<String>,
    stopping: BTreeMap<String, Tick>,
    stuck: BTreeSet<String>,
    backoffs: BTreeMap<String, Vec<Tick>>,
    downs: BTreeSet<u32>,
    /// What has been asked for.
    pub(crate) wishes: Desired,
    /// The last `down` that each name was in.
    called_off: BTreeMap<String, u32>,
    /// The tasks whose process runs, with what their windows hold down.
    windows: BTreeMap<String, BTreeSet<String>>,
    /// What was stopped for a window, and for which task's.
    stopped_for: BTreeMap<String, String>,
    /// What has come back from the latest window of a task.
    came_back: BTreeSet<(String, String)>,
    /// When the process of each service that runs was started.
    spawned: BTreeMap<String, Tick>,
    read: usize,
}

/// So long has what nothing checks to live before it may be told as ready.
const TRIAL: Duration = Duration::from_millis(500);

/// Whether nothing tells when a service is ready but that it has started.
pub(crate) fn is_ready_by_being(service: &Service) -> bool {
    !service.is_checked()
}

/// The number of a request, where one is the cause: each comes from a process of its own.
fn request_of(cause: &Cause) -> Option<u32> {
    match cause {
        Cause::Command { pid, .. } => Some(*pid),
        _ => None,
    }
}

impl Checker {
    pub(crate) fn new() -> Self {
        Self {
            shown: BTreeMap::new(),
            failed: BTreeSet::new(),
            failed_at: BTreeMap::new(),
            waits_since: BTreeMap::new(),
            bare: BTreeSet::new(),
            stopping: BTreeMap::new(),
            stuck: BTreeSet::new(),
            backoffs: BTreeMap::new(),
            downs: BTreeSet::new(),
            wishes: Desired::default(),
            called_off: BTreeMap::new(),
            windows: BTreeMap::new(),
            stopped_for: BTreeMap::new(),
            came_back: BTreeSet::new(),
            spawned: BTreeMap::new(),
            read: 0,
        }
    }

    pub(crate) fn observe(&mut self, world: &World) {
        let stack = world.core.stack();
        for seen in &world.seen[self.read..] {
            self.starts_only_when_needs_hold(seen, stack);
            self.no_need_stops_before_its_dependents(seen, stack);
            self.restarts_bounded_in_window(seen, stack);
            self.nothing_starts_for_what_was_called_off(seen);
            self.nothing_runs_inside_a_window(seen, world);
            self.what_was_up_comes_back_once(seen);
            self.what_is_told_as_ready_has_lived(seen);
            self.fold(seen, stack);
        }
        self.read = world.seen.len();
        self.every_stop_ends_by_its_deadline(world);
    }

    /// This request is a `down` of these (none: of everything).
    pub(crate) fn call_off(&mut self, world: &World, request: u32, names: &[String]) {
        let graph = Graph::of(world.core.stack());
        let named = names.iter().filter_map(|name| graph.id(name));
        let ids = match names {
            [] => graph.start_order().into_iter().collect(),
            _ => graph.dependents(named),
        };
        for name in ids.into_iter().map(|id| graph.name(id).to_owned()) {
            self.called_off.insert(name, request);
        }
        self.downs.insert(request);
    }

    /// A command counts the tries of what it is about from the beginning.
    pub(crate) fn forget_backoffs(&mut self, command: &Command, stack: &Stack) {
        let names = match command {
            Command::Wait { .. } => return,
            Command::Up { names, .. }
            | Command::Down { names }
            | Command::Restart { names, .. } => names.as_slice(),
            // Its window stops and starts services, too.
            Command::Run { .. } => &[],
        };
        if names.is_empty() {
            return self.backoffs.clear();
        }
        let graph = Graph::of(stack);
        let named: Vec<_> = names.iter().filter_map(|name| graph.id(name)).collect();
        let about: BTreeSet<_> = graph
            .closure(named.iter().copied())
            .into_iter()
            .chain(graph.dependents(named))
            .collect();
        self.backoffs.retain(|name, _| graph.id(name).is_some_and(|id| !about.contains(&id)));
    }

    /// A start that somebody asked for is not made once it was called off.
    fn nothing_starts_for_what_was_called_off(&self, seen: &Seen) {
        let (Event::Starting, Some(request)) = (&seen.event, request_of(&seen.cause)) else {
            return;
        };
        let down = self.called_off.get(&seen.name).copied().unwrap_or(0);
        assert!(request >= down, "{seen:?}, though request {down} was a `down` of it");
    }

    /// While a task runs, nothing that it runs `without` is up or started.
    fn nothing_runs_inside_a_window(&mut self, seen: &Seen, world: &World) {
        match &seen.event {
            Event::Running { .. } => {
                let Some(task) = world.core.task(&seen.name) else { return };
                let graph = Graph::of(world.core.stack());
                let without = task.without.iter().filter_map(|name| graph.id(name));
                let without: Vec<_> = without.collect();
                // What an edit makes need it, or wait for the task, meanwhile is another story.
                let inside = task.without.iter().filter(|name| graph.id(name).is_some());
                let inside: BTreeSet<String> = inside.cloned().collect();
                for name in &inside {
                    let shown = self.shown(name);
                    let up = matches!(
                        shown,
                        Shown::Started | Shown::Ready | Shown::Unhealthy | Shown::Stopping
                    );
                    assert!(!up, "{seen:?} though {name} is {shown:?} ({} in all)", without.len());
                }
                self.windows.insert(seen.name.clone(), inside);
            }
            Event::Done { .. } | Event::Failed { .. } => _ = self.windows.remove(&seen.name),
            Event::Starting => {
                let holder = self.windows.iter().find(|(_, inside)| inside.contains(&seen.name));
                assert!(holder.is_none(), "{seen:?} inside the window of {holder:?}");
            }
            _ => {}
        }
    }

    fn what_was_up_comes_back_once(&mut self, seen: &Seen) {
        let name = &seen.name;
        match (&seen.event, &seen.cause) {
            (Event::Stopping, Cause::Window { task }) => {
                self.came_back.remove(&(task.clone(), name.clone()));
                self.stopped_for.insert(name.clone(), task.clone());
            }
            (Event::Starting, Cause::Window { task }) => {
                self.stopped_for.remove(name);
                let first = self.came_back.insert((task.clone(), name.clone()));
                assert!(first, "{seen:?} for the second time");
            }
            (Event::Starting, _) => {
                _ = self.stopped_for.remove(name);
                self.came_back.retain(|(task, _)| task != name);
            }
            _ => {}
        }
    }

    /// What nothing checks is told as ready once it has lived for a while, and never if it has not.
    fn what_is_told_as_ready_has_lived(&mut self, seen: &Seen) {
        match &seen.event {
            Event::Spawned { .. } => _ = self.spawned.insert(seen.name.clone(), seen.at),
            Event::Exited { .. } => _ = self.spawned.remove(&seen.name),
            // Back from being unhealthy it may be before, and that is all that is told.
            Event::Ready { checked: false, unhealthy_ms: None, .. } => {
                // What runs elsewhere is not started.
                let Some(spawned) = self.spawned.get(&seen.name) else { return };
                let lived = seen.at.since(*spawned);
                assert!(lived >= TRIAL, "{seen:?} after {lived:?}");
            }
            _ => {}
        }
    }

    /// Who says that a task holds it down is held by one that has not ended; and who was stopped
    /// for a window and is still wanted comes back once that is closed.
    pub(crate) fn windows_are_held_by_runs(&mut self, world: &World) {
        let tasks = world.core.tasks();
        let on_its_way = |task: &str| {
            let states = [TaskState::Running, TaskState::Waiting];
            tasks.iter().any(|view| view.name == task && states.contains(&view.state))
        };
        let stack = world.core.stack();
        // A `down` lets go of what it names, and of what nothing else that was asked for needs.
        self.stopped_for.retain(|name, _| self.wishes.want(name, stack));
        for view in world.core.services(world.now) {
            if let Some(Because::Held { by }) = &view.because {
                assert!(on_its_way(by), "{view:?}, and that is over");
            }
            if let Some(task) = self.stopped_for.get(&view.name) {
                assert!(view.state != ServiceState::Idle, "{view:?} after the window of {task}");
            }
        }
    }

    fn shown(&self, name: &str) -> Shown {
        self.shown.get(name).copied().unwrap_or_default()
    }

    fn fold(&mut self, seen: &Seen, stack: &Stack) {
        let name = seen.name.clone();
        let is_task = stack.task(&name).is_some();
        let shown = match &seen.event {
            Event::Waiting { .. } => {
                self.waits_since.entry(name).or_insert(seen.at);
                return;
            }
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
                self.failed_at.insert(name.clone(), seen.at);
                Shown::Failed
            }
            Event::Done { .. } | Event::Skipped => Shown::Done,
            Event::Stuck { .. } => {
                self.stuck.insert(name);
                return;
            }
            _ => return,
        };
        self.waits_since.remove(&name);
        if matches!(shown, Shown::Ready | Shown::Done) {
            self.failed.remove(&name);
        }
        if shown != Shown::Stopping {
            self.stopping.remove(&name);
            self.stuck.remove(&name);
        }
        self.shown.insert(name, shown);
    }

    fn starts_only_when_needs_hold(&mut self, seen: &Seen, stack: &Stack) {
        if seen.event != Event::Starting {
            return;
        }
        self.bare.remove(&seen.name);
        // An external service that is looked at again is up all the time.
        if self.shown(&seen.name) == Shown::Ready {
            return;
        }
        let graph = Graph::of(stack);
        for need in stack.needs(&seen.name) {
            let shown = self.shown(&need.name);
            let is_task = stack.task(&need.name).is_some();
            // With `--no-deps` a need counts only where it was asked for, too.
            let is_bare = stack.service(&seen.name).is_some()
                && !self.wishes.want_whole(&seen.name, stack)
                && !self.wishes.want(&need.name, stack);
            if is_bare {
                self.bare.insert(seen.name.clone());
                continue;
            }
            // What nothing checks is ready by having started, and is told so later.
            let by_being = stack.service(&need.name).is_some_and(is_ready_by_being);
            let holds = match need.until {
                NeedUntil::Ready if by_being => {
                    matches!(shown, Shown::Ready | Shown::Started)
                }
                NeedUntil::Ready => matches!(shown, Shown::Ready | Shown::Done),
                NeedUntil::Started => {
                    matches!(shown, Shown::Ready | Shown::Done | Shown::Started | Shown::Unhealthy)
                }
            };
            let behind = graph.closure(graph.id(&need.name));
            let since = self.waits_since.get(&seen.name).copied().unwrap_or(seen.at);
            // What is stuck inside a task's window blocks the task, and what needs that.
            let excused = need.optional
                && (!self.stuck.is_empty()
                    || behind.iter().any(|&id| {
                        self.failed.contains(graph.name(id))
                            || self.failed_at.get(graph.name(id)).is_some_and(|at| *at >= since)
                            || self.shown(graph.name(id)) == Shown::Over
                    }));
            // Retries of a task are not starts of their own.
            let shown_now = self.shown(&seen.name);
            let retry = stack.task(&seen.name).is_some()
                && matches!(shown_now, Shown::Stopping | Shown::Starting);
            assert!(
                holds || excused || retry,
                "{seen:?} though {} is {shown:?} (task: {is_task})",
                need.name
            );
        }
    }

    fn no_need_stops_before_its_dependents(&self, seen: &Seen, stack: &Stack) {
        let Cause::Command { pid, .. } = &seen.cause else { return };
        if seen.event != Event::Stopping || !self.downs.contains(pid) {
            return;
        }
        // It had ended by itself, or its end was on the way: what is stopped is its restart.
        // (A start that failed before there was a process leaves no record of its own.)
        if matches!(self.shown(&seen.name), Shown::Over | Shown::Stopping | Shown::Starting) {
            return;
        }
        let graph = Graph::of(stack);
        let Some(stopping) = graph.id(&seen.name) else { return };
        for (dependent, edge) in graph.incoming(stopping) {
            let dependent = graph.name(dependent);
            // What is asked for without its needs does not hold them up.
            let is_bare = self.bare.contains(dependent)
                || self.wishes.want(dependent, stack) && !self.wishes.want_whole(dependent, stack);
            if is_bare || self.stuck.contains(dependent) {
                continue;
            }
            if matches!(edge, Edge::Need(_) | Edge::Through(_)) {
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
        if *attempt == 0 {
            // An end that is no failure is no try.
            return;
        }
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
