//! Tasks: when their windows open, and what their steps tell.

use std::time::Duration;

use stackrun::{
    core::lifecycle::{Input as Told, StepNews},
    core::stack::{Input, ItemOutcome, OpId, Refusal},
    event::{Cause, Event},
    model::{Exit, Need, NeedUntil, Service, Step, StepCommand, Task},
    reason::{Failure, HookFailure, Notice},
    status::{Because, ServiceState, TaskState},
};

use crate::{
    scenarios::{SECOND, down, program, ready_world, run, service, stack, task, up},
    world::{Script, World},
};

fn undo() -> Step {
    Step {
        name: "undo".into(),
        command: StepCommand::Command(program("undo")),
        dir: "/stack".into(),
        env: Default::default(),
        stdin: None,
        stdout: None,
    }
}

/// db ← api, and a task that runs without api.
fn with_window(change: impl FnOnce(&mut Task)) -> World {
    let mut restore = task("restore", &["db"]);
    restore.without = vec!["api".into()];
    change(&mut restore);
    let copy = Task { without: vec!["api".into()], ..task("copy", &[]) };
    ready_world(&stack(vec![service("db", &[]), service("api", &["db"])], vec![restore, copy]))
}

fn ask(world: &mut World, task: &str) -> OpId {
    let stack = world.core.stack().clone();
    world.ask(run(&stack, task))
}

fn stopped(world: &World, name: &str) -> bool {
    world.order(|event| *event == Event::Stopping).contains(&name)
}

/// One whose success takes so long to be written down.
fn with_slow_record(records: Option<Duration>) -> World {
    let mut world = with_window(|task| task.inputs = vec!["/stack/*".into()]);
    let exits = Some((SECOND, Exit::SUCCESS));
    let script = Script { unchanged: false, exits, records, ..Script::default() };
    world.scripts.insert("restore".into(), script);
    world
}

#[test]
fn a_success_is_acted_upon_once_it_is_written_down_whoever_dies_meanwhile() {
    let mut world = with_slow_record(Some(6 * SECOND));
    let op = ask(&mut world, "restore");
    for dies in [false, true, false] {
        world.pass(2 * SECOND);
        assert!(world.open(op), "nobody has been answered");
        assert_ne!(world.state("api"), ServiceState::Ready, "the window is open");
        if dies {
            world.die_and_restore();
        }
    }
    world.pass(10 * SECOND);
    assert_eq!(world.state("api"), ServiceState::Ready);
    let starts = world.order(|event| matches!(event, Event::Running { .. }));
    assert_eq!(starts.iter().filter(|name| **name == "restore").count(), 1);
}

#[test]
fn a_disk_that_stalls_keeps_nobody_from_a_success() {
    let mut world = with_slow_record(None);
    let op = ask(&mut world, "restore");
    world.pass(30 * SECOND);
    assert!(matches!(world.how(op, "restore"), ItemOutcome::Ready { .. }));
    assert_eq!(world.state("api"), ServiceState::Ready);
    let said = |event: &Event| *event == Event::Notice { notice: Notice::NotRecorded };
    assert!(world.order(said).contains(&"restore"));
    // Nor can what has ended well be called off, or hold up the end of everything.
    let mut world = with_slow_record(None);
    let _run = ask(&mut world, "restore");
    world.pass(4 * SECOND);
    let op = world.ask(down(&[]));
    world.pass(30 * SECOND);
    assert_eq!(world.how(op, "restore"), &ItemOutcome::Stopped);
    assert!(world.core.is_idle());
}

#[test]
fn a_task_that_need_not_run_opens_no_window() {
    let mut world = with_window(|task| task.inputs = vec!["/stack/*".into()]);
    world.scripts.insert("restore".into(), Script { unchanged: true, ..Script::default() });
    let op = ask(&mut world, "restore");
    world.pass(10 * SECOND);
    assert_eq!(world.how(op, "restore"), &ItemOutcome::Skipped);
    assert!(!stopped(&world, "api"));

    let mut world = with_window(|task| task.inputs = vec!["/stack/*".into()]);
    world.scripts.insert("restore".into(), Script { unchanged: false, ..Script::default() });
    let op = ask(&mut world, "restore");
    world.pass(10 * SECOND);
    assert!(matches!(world.how(op, "restore"), ItemOutcome::Ready { .. }));
    assert!(stopped(&world, "api"));
    assert_eq!(world.state("api"), ServiceState::Ready);
}

#[test]
fn a_window_that_cannot_be_emptied_fails_the_run_and_lets_go() {
    let mut world = with_window(|_| ());
    let hour = Duration::from_secs(3600);
    let stubborn = Script { ends: None, survives: hour, ..Script::default() };
    world.scripts.insert("api".into(), stubborn);
    world.crash("api");
    world.pass(5 * SECOND);
    let op = ask(&mut world, "restore");
    world.pass(60 * SECOND);
    let ItemOutcome::Failed { reason, exit, .. } = world.how(op, "restore") else {
        panic!("{:?}", world.outcome(op));
    };
    let stuck = Failure::NotStopped { name: "api".into() };
    assert_eq!((&reason.failure, *exit), (&stuck, None));
    assert!(!world.order(|event| matches!(event, Event::Running { .. })).contains(&"restore"));
    world.pass(2 * hour);
    assert_eq!(world.state("api"), ServiceState::Ready, "it comes back once it can");
}

#[test]
fn a_task_that_was_called_off_is_not_tried_again() {
    let start = Need { until: NeedUntil::Started, ..Need::new("import") };
    let api = Service { needs: vec![start], ..service("api", &[]) };
    let import = Task { retries: 3, ..task("import", &[]) };
    let mut world = World::new(stack(vec![api], vec![import]));
    let failing = Script { exits: Some((5 * SECOND, Exit::Code(1))), ..Script::default() };
    world.scripts.insert("import".into(), failing);
    // Its end has to wait for that of what needs it.
    let slow = Script { ends: Some(8 * SECOND), ..Script::default() };
    world.scripts.insert("api".into(), slow);
    let stack = world.core.stack().clone();
    world.ask(up(&stack, &[]));
    world.pass(2 * SECOND);
    assert_eq!(world.state("api"), ServiceState::Ready);
    world.ask(down(&[]));
    world.pass(60 * SECOND);
    let starts = world.order(|event| *event == Event::Starting);
    assert_eq!(starts, ["import", "api"], "once");
    assert_eq!(world.state("api"), ServiceState::Idle);
}

#[test]
fn a_cancel_before_the_window_is_empty_runs_nothing_and_restores() {
    let mut world = with_window(|task| task.on_failure = vec![undo()]);
    let slow = Script { ends: Some(5 * SECOND), ..Script::default() };
    world.scripts.insert("api".into(), slow);
    world.crash("api");
    world.pass(5 * SECOND);
    world.forget();
    let op = ask(&mut world, "restore");
    world.pass(SECOND);
    assert_eq!(world.task_state("restore"), TaskState::Waiting);
    world.tell(Input::CancelRun { op });
    world.pass(30 * SECOND);
    assert!(matches!(world.how(op, "restore"), ItemOutcome::Failed { .. }));
    assert_eq!(world.order(|event| matches!(event, Event::Hook { .. })), [""; 0]);
    assert_eq!(world.state("api"), ServiceState::Ready);
}

#[test]
fn on_failure_keeps_the_window_open_until_it_is_over_and_its_failure_is_told() {
    let mut world = with_window(|task| {
        task.on_failure = vec![undo()];
        task.retries = 2;
    });
    let script = Script {
        exits: Some((SECOND, Exit::Code(4))),
        answers: SECOND,
        hooks: Exit::Code(9),
        ..Script::default()
    };
    world.scripts.insert("restore".into(), script);
    let op = ask(&mut world, "restore");
    world.pass(60 * SECOND);
    let ItemOutcome::Failed { reason, exit, .. } = world.how(op, "restore") else {
        panic!("it failed")
    };
    assert_eq!(reason.failure, Failure::Exited { exit: Exit::Code(4), early: None });
    assert_eq!(reason.on_failure, Some(HookFailure::Exit { exit: Exit::Code(9) }));
    assert_eq!(*exit, Some(Exit::Code(4)));
    let of = |what: &str| {
        let found = world.seen.iter().filter(|seen| match &seen.event {
            Event::Hook { .. } => what == "hook",
            Event::Running { .. } => what == "runs",
            Event::Starting => what == "api" && seen.name == "api",
            _ => false,
        });
        found.map(|seen| seen.at).collect::<Vec<_>>()
    };
    assert_eq!((of("runs").len(), of("hook").len()), (3, 1), "once, after the last try");
    assert!(of("api")[0] >= of("hook")[0], "nothing comes back before");
}

#[test]
fn an_on_failure_that_takes_too_long_is_killed_before_the_window_closes() {
    let mut world = with_window(|task| {
        task.on_failure = vec![undo()];
        task.timeout = Some(SECOND);
    });
    let exits = Some((SECOND / 10, Exit::Code(4)));
    let slow = Script { answers: 100 * SECOND, exits, ..Script::default() };
    world.scripts.insert("restore".into(), slow);
    let op = ask(&mut world, "restore");
    world.pass(400 * SECOND);
    let ItemOutcome::Failed { reason, .. } = world.how(op, "restore") else { panic!("it failed") };
    assert_eq!(reason.on_failure, Some(HookFailure::TooLong));
    assert_eq!(world.state("api"), ServiceState::Ready);
}

#[test]
fn what_steps_tell_is_told_once_whoever_asks() {
    let mut world = with_window(|_| ());
    world.scripts.insert(
        "restore".into(),
        Script { exits: Some((SECOND, Exit::Code(6))), ..Script::default() },
    );
    let op = ask(&mut world, "restore");
    world.pass(SECOND / 2);
    let tell = |world: &mut World, line, news| {
        let input = Told::Stepped { line, step: "apply".into(), on_failure: false, news };
        world.tell(Input::Unit { name: "restore".into(), generation: 1, input });
    };
    let failed = Some("`mysql` exit 6".to_owned());
    let ended = StepNews::Ended { exit: Exit::Code(6), after_ms: 40, failed };
    for _ in 0..2 {
        tell(&mut world, 0, StepNews::Began);
        tell(&mut world, 2, ended.clone());
        world.die_and_restore();
    }
    world.pass(10 * SECOND);
    let told = world.order(|event| matches!(event, Event::Step { .. } | Event::StepEnded { .. }));
    assert_eq!(told, ["restore", "restore"]);
    // Its client lost the supervisor, and its answer.
    assert!(world.open(op));
    let Some(Because::Failed { reason }) = world.core.tasks()[0].because.clone() else {
        panic!("it failed")
    };
    let step = Failure::Step { step: "apply".into(), error: "`mysql` exit 6".into() };
    assert_eq!(reason.failure, step);
}

#[test]
fn a_scheduled_run_waits_for_what_a_window_holds() {
    let mut nightly = task("nightly", &["api"]);
    nightly.schedule = Some("0 3 * * *".into());
    let restore = Task { without: vec!["api".into()], ..task("restore", &[]) };
    let mut world = ready_world(&stack(vec![service("api", &[])], vec![nightly, restore]));
    let slow = Script { exits: Some((5 * SECOND, Exit::SUCCESS)), ..Script::default() };
    world.scripts.insert("restore".into(), slow);
    ask(&mut world, "restore");
    world.pass(2 * SECOND);
    let refused = ask(&mut world, "nightly");
    let refusal = world.outcome(refused).refused.clone();
    assert_eq!(refusal, Some(Refusal::Window { name: "api".into(), task: "restore".into() }));
    let stack = world.core.stack().clone();
    let command = run(&stack, "nightly");
    let op = OpId(99);
    world.tell(Input::Command { op, command, cause: Cause::Schedule });
    assert_eq!(world.task_state("nightly"), TaskState::Waiting);
    world.pass(10 * SECOND);
    assert_eq!(world.task_state("nightly"), TaskState::Done);
}

#[test]
fn who_asks_again_after_a_death_finds_the_same_run() {
    let mut world = with_window(|_| ());
    let slow = Script { exits: Some((5 * SECOND, Exit::SUCCESS)), ..Script::default() };
    world.scripts.insert("restore".into(), slow);
    let ask = |world: &mut World, op: u64, client: u32, repeated: bool| {
        let stack = world.core.stack().clone();
        let mut command = run(&stack, "restore");
        if let stackrun::core::stack::Command::Run { again, .. } = &mut command {
            *again = repeated;
        }
        let cause = Cause::Command { command: "stackrun run restore".into(), pid: client };
        world.tell(Input::Command { op: OpId(op), command, cause });
    };
    let runs = |world: &World| world.order(|event| matches!(event, Event::Running { .. })).len();
    ask(&mut world, 90, 7, false);
    world.pass(SECOND);
    world.die_and_restore();
    ask(&mut world, 91, 7, true);
    world.pass(20 * SECOND);
    let names: Vec<&str> = world.results(OpId(91)).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["restore", "api"], "also that what it held down is back");
    // It may have ended before the question came.
    world.die_and_restore();
    ask(&mut world, 92, 7, true);
    assert!(matches!(world.how(OpId(92), "restore"), ItemOutcome::Ready { .. }));
    let before = runs(&world);
    // Another command, and the same one where nothing is known of it, run it.
    ask(&mut world, 93, 8, true);
    ask(&mut world, 94, 8, false);
    world.pass(60 * SECOND);
    assert!(!world.open(OpId(93)) && !world.open(OpId(94)));
    assert!(runs(&world) > before);
}
