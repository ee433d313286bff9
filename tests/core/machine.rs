//! Histories at random, and what must hold in each of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Duration,
};

use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use stackrun::{
    event::{Cause, Event, Tick},
    graph::Graph,
    lifecycle::{self, PortsAnswer, ProbeAnswer},
    model::{Exit, NeedUntil, Stack},
    status::ServiceState,
    supervisor::{Command, Input, OpId, Until},
};

use crate::{
    shapes::{Act, Dice, EditHow, History, edit, histories, stacks},
    world::{Seen, World},
};

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
struct Checker {
    shown: BTreeMap<String, Shown>,
    /// Names that ever failed: what needs them optionally may go ahead.
    failed: BTreeSet<String>,
    /// Names that were asked for without their needs.
    bare: BTreeSet<String>,
    stopping: BTreeMap<String, Tick>,
    stuck: BTreeSet<String>,
    backoffs: BTreeMap<String, Vec<Tick>>,
    downs: BTreeSet<String>,
    read: usize,
}

impl Checker {
    fn new() -> Self {
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

    fn observe(&mut self, world: &World) {
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

/// At most one process tree a service; asked by the world whenever it starts one.
fn one_live_generation(world: &World) {
    let alive = world.alive();
    let names: BTreeSet<&String> = alive.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), alive.len(), "two generations live: {alive:?}");
}

fn nothing_happens_when_idle(world: &mut World) {
    if world.core.deadline().is_none_or(|at| at > world.now) {
        let (seen, settled) = (world.seen.len(), world.settled.len());
        let before = world.core.note();
        world.tell(Input::Timer);
        assert_eq!((world.seen.len(), world.settled.len()), (seen, settled), "a timer too early");
        assert_eq!(world.core.note(), before);
    }
}

fn late_answers_are_ignored(world: &mut World, name: &str, what: u8) {
    let services = world.core.services(world.now);
    let Some(view) = services.iter().find(|view| view.name == name && view.generation > 0) else {
        return;
    };
    let (generation, before) = (view.generation - 1, world.core.note());
    let input = match what % 5 {
        0 => lifecycle::Input::Exited { exit: Exit::Code(1), left: 0 },
        1 => lifecycle::Input::TreeGone { swept: 0 },
        2 => lifecycle::Input::Probed(ProbeAnswer::Holds),
        3 => lifecycle::Input::Spawned { pid: 1 },
        _ => lifecycle::Input::Ports(PortsAnswer::Free),
    };
    world.tell(Input::Unit { name: name.to_owned(), generation, input });
    assert_eq!(world.core.note(), before, "an answer of an earlier start of {name}");
}

fn every_op_settles_exactly_once(world: &World, open: &BTreeSet<OpId>) {
    for op in open {
        let settled = world.settled.get(op).map_or(0, Vec::len);
        assert_eq!(settled, 1, "{op:?} settled {settled} times, open: {}", world.core.open_ops());
    }
}

fn down_always_converges(world: &World) {
    assert!(world.core.is_idle(), "not idle: {:#?}", world.core.services(world.now));
    assert_eq!(world.alive(), []);
    assert_eq!(world.core.deadline(), None);
}

/// Carries out a history; the world is left with what it was told, should anything go wrong.
fn play(history: &History, world: &mut World) {
    let (seed, trouble) = (history.seed, history.trouble);
    world.dice =
        Some(Box::new(move |name, generation| Dice::new(seed, name, generation).script(trouble)));
    let mut file = history.stack.0.clone();
    let mut checker = Checker::new();
    let mut open: BTreeSet<OpId> = BTreeSet::new();
    let mut last_run = None;
    for (pause, act) in &history.acts {
        pass(world, &mut checker, Duration::from_millis(u64::from(*pause) / 4));
        let names: Vec<String> = history.stack.0.names().map(str::to_owned).collect();
        let pick = |place: u8| names[usize::from(place) % names.len()].clone();
        let command = match act {
            Act::Up { names, no_deps } => {
                let names: Vec<String> = names.iter().map(|name| pick(*name)).collect();
                if *no_deps {
                    checker.bare.extend(history.stack.0.names().map(str::to_owned));
                }
                Command::Up { stack: Box::new(file.clone()), names, no_deps: *no_deps }
            }
            Act::Down { names } => {
                Command::Down { names: names.iter().map(|name| pick(*name)).collect() }
            }
            Act::Restart { names, with_dependents, edited } => Command::Restart {
                stack: edited.then(|| Box::new(file.clone())),
                names: names.iter().map(|name| pick(*name)).collect(),
                with_dependents: *with_dependents,
            },
            Act::Run { task, force } => Command::Run {
                stack: Box::new(file.clone()),
                task: pick(*task),
                args: vec![],
                force: *force,
            },
            Act::Wait { name, down } => Command::Wait {
                names: vec![pick(*name)],
                until: if *down { Until::Down } else { Until::Ready },
            },
            Act::Cancel => {
                if let Some(op) = last_run {
                    world.tell(Input::CancelRun { op });
                    checker.observe(world);
                }
                continue;
            }
            Act::Forget => {
                if let Some(op) = open.pop_last() {
                    let settled = world.settled.contains_key(&op);
                    world.tell(Input::Forget { op });
                    if settled {
                        open.insert(op);
                    }
                }
                continue;
            }
            Act::Edit { name, how } => {
                edit(&mut file, &pick(*name), *how);
                Command::Up { stack: Box::new(file.clone()), names: vec![], no_deps: false }
            }
            Act::Crash { name } => {
                world.crash(&pick(*name));
                checker.observe(world);
                continue;
            }
            Act::Late { name, what } => {
                late_answers_are_ignored(world, &pick(*name), *what);
                continue;
            }
            Act::Die => {
                open.retain(|op| world.settled.contains_key(op));
                world.die_and_restore();
                checker.observe(world);
                continue;
            }
        };
        // A command resets what it is about.
        checker.backoffs.clear();
        let (is_run, is_down) = (matches!(act, Act::Run { .. }), matches!(act, Act::Down { .. }));
        let is_wait = matches!(act, Act::Wait { .. });
        if is_down {
            checker.downs.insert(world.next_request());
        }
        let planned = world.core.plan(&command, world.now);
        let op = world.ask(command);
        let refused = world.settled.get(&op).is_some_and(|outcomes| outcomes[0].refused.is_some());
        assert_eq!(planned.is_err(), refused, "the plan of {act:?}");
        if is_run {
            last_run = Some(op);
        }
        if !is_wait {
            open.insert(op);
        }
        checker.observe(world);
        nothing_happens_when_idle(world);
    }
    pass(world, &mut checker, Duration::from_secs(20));
    checker.downs.insert(world.next_request());
    open.insert(world.ask(Command::Down { names: vec![] }));
    checker.observe(world);
    pass(world, &mut checker, Duration::from_secs(3600));
    every_op_settles_exactly_once(world, &open);
    for op in world.open_waits(&open) {
        world.tell(Input::Forget { op });
    }
    down_always_converges(world);
    nothing_happens_when_idle(world);
}

fn pass(world: &mut World, checker: &mut Checker, span: Duration) {
    let end = world.now + span;
    while world.step(end) {
        checker.observe(world);
        one_live_generation(world);
    }
    world.now = end;
}

/// How many histories to try.
#[expect(clippy::disallowed_methods, reason = "the one setting of the tests")]
fn cases(default: u32) -> u32 {
    std::env::var("STACKRUN_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(default)
}

fn runner(cases: u32) -> TestRunner {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    };
    // The same histories each time: who raises the number of cases goes further.
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// Writes down what the core was told, as JSON lines: the stack first.
fn save(name: &str, stack: &Stack, world: &World) -> std::io::Result<()> {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut lines = serde_json::to_string(stack)? + "\n";
    for told in &world.history {
        lines += &(serde_json::to_string(told)? + "\n");
    }
    std::fs::write(&path, lines)?;
    let mut records = String::new();
    for seen in &world.seen {
        records += &(serde_json::to_string(seen)? + "\n");
    }
    std::fs::write(path.with_extension("records.jsonl"), records)
}

#[test]
fn every_history_keeps_the_promises() {
    let result = runner(cases(10_000)).run(&histories(), |history| {
        let mut world = World::new(history.stack.0.clone());
        let played = catch_unwind(AssertUnwindSafe(|| play(&history, &mut world)));
        if let Err(panic) = played {
            let _ = save("failing-history.jsonl", &history.stack.0, &world);
            resume_unwind(panic);
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// A stack in which nothing goes wrong, everything up.
fn calm(stack: &Stack) -> World {
    let mut world = World::new(stack.clone());
    let names = stack.services.iter().map(|service| service.name.clone()).collect();
    world.ask(Command::Up { stack: Box::new(stack.clone()), names, no_deps: false });
    world.pass(Duration::from_secs(100));
    for view in world.core.services(world.now) {
        assert_eq!(view.state, ServiceState::Ready, "{view:?}");
    }
    world
}

#[test]
fn an_edit_restarts_only_what_changed_and_what_follows_it() {
    let edits = prop::collection::vec((any::<u8>(), 0..3_u8), 1..4);
    let result = runner(cases(1_000)).run(&(stacks(), edits), |(stack, edits)| {
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
        let command =
            Command::Up { stack: Box::new(edited.clone()), names: vec![], no_deps: false };
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
            .filter(|step| step.action == stackrun::plan::Action::Restart)
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
    let result = runner(cases(1_000)).run(&(stacks(), any::<u8>()), |(stack, place)| {
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
