//! Named scenarios.

use std::{collections::BTreeSet, time::Duration};

use stackrun::{
    core::stack::{Command, ItemOutcome, OpId, Outcome, Refusal, Until},
    event::{Cause, Event, Tick},
    model::{
        Busy, Command as Program, Exit, Need, Port, PortNumber, Restart, RestartWhen, Service,
        Stack, Task, TaskBody,
    },
    reason::{EarlyExit, Failure},
    status::{ServiceState, TaskState},
};

use crate::world::{Script, World};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn program(words: &str) -> Program {
    Program::Run(words.split(' ').map(Into::into).collect())
}

pub(crate) fn service(name: &str, needs: &[&str]) -> Service {
    let mut service = Service::new(name, "/stack");
    service.command = Some(program(&format!("serve {name}")));
    service.needs = needs.iter().map(|need| Need::new(*need)).collect();
    service.ready.checks = vec![stackrun::model::Check::Tcp(None)];
    service
}

pub(crate) fn task(name: &str, needs: &[&str]) -> Task {
    let mut task = Task::new(name, "/stack", TaskBody::Command(program(&format!("do {name}"))));
    task.needs = needs.iter().map(|need| Need::new(*need)).collect();
    task
}

pub(crate) fn stack(services: Vec<Service>, tasks: Vec<Task>) -> Stack {
    Stack { name: "shop".into(), services, tasks, ..Stack::default() }
}

/// postgres ← migrate ← api ← web
pub(crate) fn shop() -> Stack {
    stack(
        vec![
            service("postgres", &[]),
            service("api", &["postgres", "migrate"]),
            service("web", &["api"]),
        ],
        vec![task("migrate", &["postgres"])],
    )
}

pub(crate) fn up(stack: &Stack, names: &[&str]) -> Command {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Command::Up {
        stack: Box::new(stack.clone()),
        names,
        no_deps: false,
        moved_ports: BTreeSet::new(),
    }
}

pub(crate) fn down(names: &[&str]) -> Command {
    Command::Down { names: names.iter().map(|name| (*name).to_owned()).collect() }
}

pub(crate) fn restart(names: &[&str]) -> Command {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Command::Restart { stack: None, names, with_dependents: false, asked: None }
}

pub(crate) fn run(stack: &Stack, task: &str) -> Command {
    Command::Run {
        stack: Box::new(stack.clone()),
        task: task.into(),
        args: vec![],
        force: false,
        again: false,
    }
}

impl World {
    pub(crate) fn state(&self, name: &str) -> ServiceState {
        let services = self.core.services(self.now);
        services.into_iter().find(|view| view.name == name).expect("a service").state
    }

    pub(crate) fn task_state(&self, name: &str) -> TaskState {
        self.core.tasks().into_iter().find(|view| view.name == name).expect("a task").state
    }

    pub(crate) fn outcome(&self, op: OpId) -> &Outcome {
        match self.settled.get(&op).map(Vec::as_slice) {
            Some([outcome]) => outcome,
            other => panic!("{op:?} settled as {other:?}"),
        }
    }

    pub(crate) fn open(&self, op: OpId) -> bool {
        !self.settled.contains_key(&op)
    }

    pub(crate) fn results(&self, op: OpId) -> Vec<(&str, &ItemOutcome)> {
        let results = self.outcome(op).results.iter();
        results.map(|settled| (settled.name.as_str(), &settled.how)).collect()
    }

    pub(crate) fn how(&self, op: OpId, name: &str) -> &ItemOutcome {
        self.results(op).into_iter().find(|(of, _)| *of == name).expect("a result").1
    }

    /// The names to which something happened, in order.
    pub(crate) fn order(&self, of: impl Fn(&Event) -> bool) -> Vec<&str> {
        let seen = self.seen.iter().filter(|seen| of(&seen.event));
        seen.map(|seen| seen.name.as_str()).collect()
    }

    pub(crate) fn forget(&mut self) {
        self.seen.clear();
        self.saves = 0;
    }
}

pub(crate) fn started(event: &Event) -> bool {
    matches!(event, Event::Spawned { .. } | Event::Running { .. })
}

pub(crate) fn ready_world(stack: &Stack) -> World {
    let mut world = World::new(stack.clone());
    let op = world.ask(up(stack, &[]));
    world.pass(60 * SECOND);
    assert!(!world.open(op), "up is over");
    world.forget();
    world
}

#[test]
fn up_starts_by_need_and_down_stops_in_reverse() {
    let mut world = World::new(shop());
    let op = world.ask(up(&shop(), &[]));
    assert!(world.open(op));
    world.pass(60 * SECOND);
    assert_eq!(world.order(started), ["postgres", "migrate", "api", "web"]);
    let ready = |how: &ItemOutcome| matches!(how, ItemOutcome::Ready { .. });
    let results = world.results(op);
    assert_eq!(
        results.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        ["postgres", "migrate", "api", "web"]
    );
    assert!(results.iter().all(|(_, how)| ready(how)), "{results:?}");

    let op = world.ask(down(&[]));
    world.pass(60 * SECOND);
    assert_eq!(world.order(|event| *event == Event::Stopped), ["web", "api", "postgres"]);
    assert_eq!(*world.how(op, "api"), ItemOutcome::Stopped);
    assert_eq!(*world.how(op, "migrate"), ItemOutcome::Unchanged);
    assert!(world.core.is_idle() && world.alive().is_empty());
}

#[test]
fn up_again_changes_nothing() {
    let mut world = ready_world(&shop());
    let op = world.ask(up(&shop(), &[]));
    assert!(world.results(op).iter().all(|(_, how)| **how == ItemOutcome::Unchanged));
    world.pass(60 * SECOND);
    assert_eq!(world.seen, []);
}

#[test]
fn a_crash_is_restarted_after_a_pause_and_dependents_stay() {
    let mut world = ready_world(&shop());
    world.scripts.insert("api".into(), Script::default());
    let generation = world.core.services(world.now)[1].generation;
    world.exit("api", generation, Exit::Code(1));
    assert_eq!(world.state("api"), ServiceState::Stopping);
    world.pass(60 * SECOND);
    assert_eq!(world.state("api"), ServiceState::Ready);
    assert_eq!(world.order(started), ["api"]);
    assert_eq!(world.core.services(world.now)[1].restarts, 1);
}

#[test]
fn a_crash_loop_ends_as_failed_and_blocks_what_needs_it() {
    let mut world = World::new(shop());
    let crash =
        Script { exits: Some((SECOND / 2, Exit::Code(1))), ready: None, ..Script::default() };
    world.scripts.insert("postgres".into(), crash);
    let op = world.ask(up(&shop(), &[]));
    world.pass(120 * SECOND);
    let ItemOutcome::Failed { reason, exit, .. } = world.how(op, "postgres") else { panic!() };
    let early = Some(EarlyExit::BeforeReady);
    assert_eq!(reason.failure, Failure::Exited { exit: Exit::Code(1), early });
    assert!(reason.repeated.is_some_and(|all| all.times == 6 && all.alike), "{reason:?}");
    assert_eq!(*exit, Some(Exit::Code(1)));
    assert_eq!(*world.how(op, "web"), ItemOutcome::Blocked { by: "postgres".into() });
    assert_eq!(world.order(started), ["postgres"; 6]);

    // Mended and asked for again, everything goes on.
    world.scripts.clear();
    let op = world.ask(up(&shop(), &[]));
    world.pass(60 * SECOND);
    assert!(matches!(world.how(op, "web"), ItemOutcome::Ready { .. }));
}

#[test]
fn a_crash_loop_of_what_has_no_check_is_no_success_whenever_the_others_are_ready() {
    let mut crasher = service("crasher", &[]);
    crasher.ready.checks.clear();
    let stack = stack(vec![crasher, service("slow", &[])], Vec::new());
    for tenths in 2..60 {
        let mut world = World::new(stack.clone());
        let exits = Some((SECOND / 10, Exit::Code(1)));
        world.scripts.insert("crasher".into(), Script { exits, ..Script::default() });
        let ready = Some(tenths * SECOND / 10);
        world.scripts.insert("slow".into(), Script { ready, ..Script::default() });
        let op = world.ask(up(&stack, &[]));
        world.pass(120 * SECOND);
        assert!(matches!(world.how(op, "crasher"), ItemOutcome::Failed { .. }), "after {ready:?}");
        assert!(matches!(world.how(op, "slow"), ItemOutcome::Ready { .. }));
    }
}

#[test]
fn nobody_waits_for_ever_for_what_ends_again_and_again() {
    let flaky = |name: &str| {
        let mut flaky = service(name, &[]);
        flaky.restart = Restart { tries: 100_000, max_delay: SECOND / 10, ..Restart::default() };
        flaky
    };
    let mut unchecked = flaky("unchecked");
    unchecked.ready.checks.clear();
    let stack = stack(vec![unchecked, flaky("one"), flaky("other"), service("slow", &[])], vec![]);
    let mut world = World::new(stack.clone());
    let exits = [("unchecked", SECOND * 6 / 10), ("one", SECOND / 5), ("other", SECOND / 4)];
    for (name, exits) in exits {
        let exits = Some((exits, Exit::Code(1)));
        world.scripts.insert(name.into(), Script { exits, ..Script::default() });
    }
    let ready = Some(2 * SECOND);
    world.scripts.insert("slow".into(), Script { ready, ..Script::default() });
    let op = world.ask(up(&stack, &[]));
    world.pass(20 * SECOND);
    assert!(world.settled.contains_key(&op), "{}", world.core.open_ops());
}

#[test]
fn what_has_ended_once_is_believed_once_it_has_stayed_up_for_a_while() {
    let mut service = service("flaky", &[]);
    service.ready.checks.clear();
    let stack = stack(vec![service, self::service("slow", &[])], Vec::new());
    let mut world = World::new(stack.clone());
    world.dice = Some(Box::new(|name, generation| Script {
        exits: (name == "flaky" && generation == 1).then_some((SECOND / 10, Exit::Code(1))),
        ready: Some(SECOND / 5),
        ..Script::default()
    }));
    let op = world.ask(up(&stack, &[]));
    // It ends, and is started again after about 200 ms.
    world.pass(SECOND * 6 / 10);
    assert_eq!(world.state("flaky"), ServiceState::Ready);
    assert!(!world.settled.contains_key(&op), "it may end again");
    world.pass(SECOND);
    assert!(matches!(world.how(op, "flaky"), ItemOutcome::Ready { .. }));
}

#[test]
fn a_need_that_recovers_lets_the_blocked_go_on() {
    let mut world = World::new(shop());
    let crash =
        Script { exits: Some((SECOND / 2, Exit::Code(1))), ready: None, ..Script::default() };
    world.scripts.insert("postgres".into(), crash);
    world.ask(up(&shop(), &[]));
    world.pass(120 * SECOND);
    world.scripts.clear();
    let op = world.ask(restart(&["postgres"]));
    world.pass(60 * SECOND);
    assert!(matches!(world.how(op, "postgres"), ItemOutcome::Ready { .. }));
    assert_eq!(world.state("web"), ServiceState::Ready);
}

#[test]
fn stop_beats_restart_in_backoff() {
    let mut world = World::new(shop());
    let crash =
        Script { exits: Some((SECOND / 2, Exit::Code(1))), ready: None, ..Script::default() };
    world.scripts.insert("postgres".into(), crash);
    let first = world.ask(up(&shop(), &[]));
    while world.state("postgres") != ServiceState::Backoff {
        assert!(world.step(world.now + 60 * SECOND));
    }
    let op = world.ask(down(&[]));
    assert_eq!(*world.how(op, "postgres"), ItemOutcome::Unchanged);
    assert!(world.outcome(first).superseded);
    world.forget();
    world.pass(60 * SECOND);
    assert_eq!(world.seen, []);
}

#[test]
fn stop_beats_start_at_every_moment() {
    for after in 0..200 {
        let mut world = World::new(shop());
        world.ask(up(&shop(), &[]));
        world.pass(Duration::from_millis(3 * after));
        let op = world.ask(down(&[]));
        world.pass(30 * SECOND);
        assert!(!world.open(op) && world.core.is_idle(), "down after {after}");
        assert_eq!(world.alive(), []);
    }
}

#[test]
fn restart_leaves_dependents_alone_and_repeats_no_task() {
    let mut world = ready_world(&shop());
    let op = world.ask(restart(&["api"]));
    let merged = world.ask(restart(&["api"]));
    world.pass(60 * SECOND);
    assert_eq!(world.order(started), ["api"]);
    assert!(matches!(world.how(op, "api"), ItemOutcome::Ready { .. }));
    assert!(matches!(world.how(merged, "api"), ItemOutcome::Ready { .. }));

    world.forget();
    let names = vec!["api".to_owned()];
    world.ask(Command::Restart { stack: None, names, with_dependents: true, asked: None });
    world.pass(60 * SECOND);
    assert_eq!(world.order(|event| *event == Event::Stopped), ["web", "api"]);
    assert_eq!(world.order(started), ["api", "web"]);
}

/// postgres ← migrate ← api: what the API needs of PostgreSQL it needs through a task.
fn behind_a_task() -> Stack {
    let services = vec![service("postgres", &[]), service("api", &["migrate"])];
    stack(services, vec![task("migrate", &["postgres"])])
}

#[test]
fn what_is_needed_through_a_task_goes_down_after_and_comes_up_before() {
    let mut world = ready_world(&behind_a_task());
    world.ask(restart(&[]));
    world.pass(60 * SECOND);
    let steps = |event: &Event| matches!(event, Event::Stopped | Event::Ready { .. });
    assert_eq!(world.order(steps), ["api", "postgres", "postgres", "api"]);
    assert_eq!(world.order(started), ["postgres", "api"]);
    let ready = world.seen.iter().position(|seen| matches!(seen.event, Event::Ready { .. }));
    let again = world.seen.iter().rposition(|seen| started(&seen.event));
    assert!(ready < again, "{:?}", world.seen);

    world.forget();
    world.ask(down(&["postgres"]));
    world.pass(60 * SECOND);
    assert_eq!(world.order(|event| *event == Event::Stopped), ["api", "postgres"]);
}

#[test]
fn a_restart_is_satisfied_by_what_began_to_start_after_it_was_asked_for() {
    let mut world = ready_world(&shop());
    let before = world.now;
    let asked_at = |asked| {
        let names = vec!["api".to_owned()];
        Command::Restart { stack: None, names, with_dependents: false, asked: Some(asked) }
    };
    world.pass(SECOND / 10);
    world.ask(restart(&["api"]));
    world.pass(5 * SECOND);
    assert_eq!(world.order(started), ["api"]);

    // It was typed before the other one, and comes after it is over.
    let late = world.ask(asked_at(before));
    assert!(matches!(world.how(late, "api"), ItemOutcome::Ready { .. } | ItemOutcome::Unchanged));
    world.pass(5 * SECOND);
    assert_eq!(world.order(started), ["api"]);

    // These were not: typed later, by another clock, or on its way for longer than can be.
    for asked in [world.now, world.now + SECOND, Tick::default()] {
        world.forget();
        world.ask(asked_at(asked));
        world.pass(5 * SECOND);
        assert_eq!(world.order(started), ["api"], "{asked:?}");
    }
}

#[test]
fn a_task_runs_once_an_up_that_starts_something() {
    let mut world = ready_world(&shop());
    world.ask(down(&["api"]));
    world.pass(30 * SECOND);
    assert_eq!(world.state("postgres"), ServiceState::Ready);
    world.forget();
    world.ask(up(&shop(), &["web"]));
    world.pass(30 * SECOND);
    assert_eq!(world.order(started), ["migrate", "api", "web"]);
}

#[test]
fn run_brings_its_needs_and_they_stay() {
    let mut world = World::new(shop());
    let op = world.ask(run(&shop(), "migrate"));
    world.pass(30 * SECOND);
    assert!(matches!(world.how(op, "migrate"), ItemOutcome::Ready { .. }));
    assert_eq!(world.order(started), ["postgres", "migrate"]);
    assert_eq!(world.state("postgres"), ServiceState::Ready);
    assert_eq!(world.task_state("migrate"), TaskState::Done);
}

#[test]
fn an_edit_restarts_what_changed_and_nothing_else() {
    let mut world = ready_world(&shop());
    let mut edited = shop();
    edited.services[1].command = Some(program("serve api --verbose"));
    edited.services[2].describe = Some("the shop".into());
    let op = world.ask(up(&edited, &[]));
    world.pass(30 * SECOND);
    assert_eq!(world.order(started), ["migrate", "api"]);
    assert_eq!(*world.how(op, "web"), ItemOutcome::Unchanged);
    let stopping = world.seen.iter().find(|seen| seen.event == Event::Stopping).unwrap();
    assert_eq!(stopping.cause, Cause::Edit { keys: vec!["run".into()] });

    world.forget();
    edited.services.remove(2);
    let op = world.ask(up(&edited, &[]));
    world.pass(30 * SECOND);
    assert_eq!(*world.how(op, "web"), ItemOutcome::Stopped);
    assert_eq!(world.order(|event| *event == Event::Stopped), ["web"]);
}

#[test]
fn what_follows_is_restarted_too() {
    let mut shop = shop();
    shop.services[2].needs[0].follow = true;
    let mut world = ready_world(&shop);
    world.ask(restart(&["api"]));
    world.pass(30 * SECOND);
    assert_eq!(world.order(|event| *event == Event::Stopped), ["web", "api"]);
    assert_eq!(world.order(started), ["api", "web"]);
}

#[test]
fn an_optional_need_that_fails_holds_nobody_up() {
    let mut shop = shop();
    shop.services[2].needs[0].optional = true;
    let mut world = World::new(shop.clone());
    world.scripts.insert("api".into(), Script { spawn_fails: true, ..Script::default() });
    let op = world.ask(up(&shop, &[]));
    world.pass(60 * SECOND);
    assert!(matches!(world.how(op, "web"), ItemOutcome::Ready { .. }));
    assert!(matches!(world.how(op, "api"), ItemOutcome::Failed { .. }));
}

#[test]
fn an_external_need_is_looked_at_again_before_each_start() {
    let mut shop = shop();
    shop.services[0].command = None;
    let mut world = ready_world(&shop);
    assert_eq!(world.state("web"), ServiceState::Ready);
    world.ask(restart(&["api"]));
    world.pass(30 * SECOND);
    let ready = world.order(|event| matches!(event, Event::Ready { .. }));
    assert_eq!(ready, ["postgres", "api"]);
}

#[test]
fn a_busy_port_fails_at_once_and_names_the_holder() {
    let mut shop = shop();
    shop.services[0].ports = vec![port(80)];
    let mut world = World::new(shop.clone());
    world.scripts.insert("postgres".into(), Script { ports_busy: true, ..Script::default() });
    let op = world.ask(up(&shop, &[]));
    world.pass(SECOND);
    let ItemOutcome::Failed { reason, .. } = world.how(op, "postgres") else { panic!() };
    let held = Failure::PortHeld { port: 80, holder: "pid 1 (nginx)".into() };
    assert_eq!((&reason.failure, reason.port()), (&held, Some(80)));
}

#[test]
fn a_stop_waits_for_its_ports_but_not_for_ever() {
    let table = [(120, 200, 0), (4900, 5000, 0), (20_000, 5100, 1)];
    for (releases, within, notices) in table.map(|(one, two, count)| (ms(one), ms(two), count)) {
        let mut shop = shop();
        shop.services[2].ports = vec![port(80)];
        let mut world = World::new(shop.clone());
        world.scripts.insert("web".into(), Script { releases, ..Script::default() });
        world.ask(up(&shop, &[]));
        world.pass(30 * SECOND);
        world.forget();
        let op = world.ask(down(&["web"]));
        world.pass(releases.min(within - ms(100)));
        assert!(world.open(op), "its ports are in use for {releases:?}");
        world.pass(ms(300));
        assert_eq!(*world.how(op, "web"), ItemOutcome::Stopped);
        assert_eq!(world.order(|event| matches!(event, Event::Notice { .. })).len(), notices);
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn port(number: u16) -> Port {
    Port {
        name: None,
        number: PortNumber::Fixed(number),
        host: None,
        busy: Busy::Fail,
        share: false,
        any_owner: false,
    }
}

#[test]
fn a_stuck_stop_ends_by_its_deadline_and_may_finish_later() {
    let mut world = World::new(shop());
    let stuck = Script { ends: None, survives: 100 * SECOND, ..Script::default() };
    world.scripts.insert("web".into(), stuck);
    world.ask(up(&shop(), &[]));
    world.pass(30 * SECOND);
    let op = world.ask(down(&[]));
    world.pass(16 * SECOND);
    assert_eq!(*world.how(op, "web"), ItemOutcome::Stuck { processes: vec!["7 (tree): D".into()] });
    assert_eq!(*world.how(op, "postgres"), ItemOutcome::Stopped);
    assert!(!world.core.is_idle());
    world.pass(100 * SECOND);
    assert!(world.core.is_idle());
}

#[test]
fn a_window_holds_down_and_brings_back_exactly_what_was_up() {
    let mut shop = shop();
    let mut sync = task("sync", &["postgres"]);
    sync.without = vec!["api".into()];
    shop.tasks.push(sync);
    let mut world = ready_world(&shop);
    let op = world.ask(run(&shop, "sync"));
    let refused = world.ask(up(&shop, &["web"]));
    assert_eq!(
        world.outcome(refused).refused,
        Some(Refusal::Window { name: "web".into(), task: "sync".into() })
    );
    world.pass(30 * SECOND);
    assert_eq!(world.order(|event| *event == Event::Stopped), ["web", "api"]);
    assert_eq!(world.order(started), ["sync", "api", "web"]);
    let names: Vec<&str> = world.results(op).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["postgres", "sync", "api", "web"]);
    assert!(matches!(world.how(op, "web"), ItemOutcome::Ready { .. }));
}

#[test]
fn unhealthy_is_restarted_at_most_once_a_cooldown() {
    let mut shop = shop();
    shop.services[0].alive = Some(stackrun::model::Alive::default());
    let mut world = World::new(shop.clone());
    world.scripts.insert("postgres".into(), Script { sick: Some(SECOND), ..Script::default() });
    world.ask(up(&shop, &[]));
    world.pass(30 * SECOND);
    assert_eq!(world.state("postgres"), ServiceState::Unhealthy);
    assert_eq!(world.core.services(world.now)[0].restarts, 1);
    assert_eq!(world.state("web"), ServiceState::Ready);
    world.pass(60 * SECOND);
    assert_eq!(world.core.services(world.now)[0].restarts, 2);
}

#[test]
fn wait_and_refusals() {
    let mut world = World::new(shop());
    let wait = world.ask(Command::Wait { names: vec!["web".into()], until: Until::Ready });
    let unknown = world.ask(down(&["wep"]));
    let wrong = world.ask(restart(&["migrate"]));
    assert!(world.open(wait));
    world.ask(up(&shop(), &[]));
    world.pass(30 * SECOND);
    assert!(matches!(world.how(wait, "web"), ItemOutcome::Ready { .. }));
    let similar = Some("web".to_owned());
    let refused = Refusal::UnknownName { name: "wep".into(), similar };
    assert_eq!(world.outcome(unknown).refused, Some(refused));
    let refused = Refusal::WrongKind { name: "migrate".into(), is: "task".into() };
    assert_eq!(world.outcome(wrong).refused, Some(refused));
}

#[test]
fn exits_by_policy() {
    let table = [
        (RestartWhen::Always, 0, ServiceState::Ready),
        (RestartWhen::OnFailure, 0, ServiceState::Exited),
        (RestartWhen::OnFailure, 1, ServiceState::Ready),
        (RestartWhen::Never, 0, ServiceState::Exited),
        (RestartWhen::Never, 1, ServiceState::Failed),
    ];
    for (when, code, after) in table {
        let mut shop = shop();
        shop.services[2].restart = Restart { when, ..Restart::default() };
        let mut world = ready_world(&shop);
        world.exit("web", 1, Exit::Code(code));
        world.pass(30 * SECOND);
        assert_eq!(world.state("web"), after, "{when:?} after {code}");
    }
}

#[test]
fn a_restored_supervisor_goes_on_where_it_was() {
    for after in 0..200 {
        let mut world = World::new(shop());
        world.ask(up(&shop(), &[]));
        world.pass(Duration::from_millis(3 * after));
        world.die_and_restore();
        world.pass(30 * SECOND);
        assert_eq!(world.state("web"), ServiceState::Ready, "died after {after}");
        assert_eq!(world.order(started), ["postgres", "migrate", "api", "web"]);
    }
}
