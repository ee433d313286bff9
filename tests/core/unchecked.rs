//! Services that nothing checks: they have started, and that is believed once they have lived for
//! half a second.

use std::time::Duration;

use stackrun::{
    core::stack::{Command, ItemOutcome, Until},
    event::Event,
    model::{
        Check, Command as Program, Exit, ExitPattern, Hook, Need, Restart, RestartWhen, Service,
        Signal, Stack,
    },
    reason::{EarlyExit, Failure, HookFailure, Notice},
    status::{Advice, Because, Evidence, ServiceState},
};

use crate::{
    scenarios::{SECOND, down, restart, run, service, stack, started, task, up},
    world::{Script, World},
};

const TRIAL: Duration = Duration::from_millis(500);

fn unchecked(name: &str, needs: &[&str]) -> Service {
    let mut service = service(name, needs);
    service.ready.checks.clear();
    service
}

fn alone(service: Service) -> Stack {
    stack(vec![service], vec![])
}

/// Ends after that long, at every start.
fn ends(after: Duration, exit: Exit) -> Script {
    Script { exits: Some((after, exit)), ..Script::default() }
}

fn world_of(stack: &Stack, name: &str, script: Script) -> World {
    let mut world = World::new(stack.clone());
    world.scripts.insert(name.into(), script);
    world
}

fn wait(names: &[&str], until: Until) -> Command {
    Command::Wait { names: names.iter().map(|name| (*name).to_owned()).collect(), until }
}

impl World {
    fn view(&self, name: &str) -> stackrun::core::stack::ServiceView {
        let views = self.core.services(self.now);
        views.into_iter().find(|view| view.name == name).expect("a service")
    }

    fn told_ready(&self) -> usize {
        self.order(|event| matches!(event, Event::Ready { .. })).len()
    }
}

#[test]
fn an_end_within_half_a_second_is_a_failed_start_and_a_try() {
    let stack = alone(unchecked("d", &[]));
    for exit in [Exit::Code(3), Exit::Signal(Signal::KILL), Exit::UNKNOWN] {
        for after in [0, 1, 150, 400, 490] {
            let mut world = world_of(&stack, "d", ends(Duration::from_millis(after), exit));
            let op = world.ask(up(&stack, &[]));
            world.pass(120 * SECOND);
            let ItemOutcome::Failed { reason, exit: told } = world.how(op, "d") else { panic!() };
            let early = Some(EarlyExit::AfterStart);
            assert_eq!(reason.failure, Failure::Exited { exit, early });
            assert!(reason.repeated.is_some_and(|all| all.times == 6 && all.alike), "{reason:?}");
            assert_eq!(*told, Some(exit));
            assert_eq!(world.order(started), ["d"; 6]);
            assert_eq!(world.told_ready(), 0);
            assert_eq!(world.view("d").restarts, 5);
        }
    }
}

#[test]
fn an_end_after_half_a_second_is_one_of_a_service_that_was_up() {
    let stack = alone(unchecked("d", &[]));
    let mut world = world_of(&stack, "d", ends(Duration::from_millis(600), Exit::Code(3)));
    let op = world.ask(up(&stack, &[]));
    world.pass(TRIAL + Duration::from_millis(10));
    assert!(matches!(world.how(op, "d"), ItemOutcome::Ready { .. }));
    assert_eq!(world.told_ready(), 1);
    world.pass(120 * SECOND);
    assert_eq!(world.state("d"), ServiceState::Failed);
    let Some(Because::Failed { reason }) = world.view("d").because else { panic!() };
    assert_eq!(reason.failure, Failure::Exited { exit: Exit::Code(3), early: None });
}

#[test]
fn a_good_exit_right_after_the_start_is_no_good_start() {
    let restart = |when| Restart { when, tries: 2, ..Restart::default() };
    let three = vec![ExitPattern::Code(3)];
    let table = [
        // Whoever ends well would do so again: that is no crash.
        (RestartWhen::OnFailure, 0, vec![], 1),
        (RestartWhen::Always, 0, vec![], 3),
        (RestartWhen::Never, 0, vec![], 1),
        (RestartWhen::OnFailure, 3, three.clone(), 1),
        (RestartWhen::Never, 3, three, 1),
    ];
    for (when, code, succeeds_with, starts) in table {
        let mut service = unchecked("d", &[]);
        service.restart = restart(when);
        service.succeeds_with = succeeds_with;
        let stack = alone(service);
        let mut world = world_of(&stack, "d", ends(SECOND / 10, Exit::Code(code)));
        let op = world.ask(up(&stack, &[]));
        world.pass(60 * SECOND);
        assert!(matches!(world.how(op, "d"), ItemOutcome::Failed { .. }), "{when:?} {code}");
        assert_eq!(world.state("d"), ServiceState::Failed, "{when:?} {code}");
        assert_eq!(world.order(started).len(), starts, "{when:?} {code}");
        let why = world.core.why("d", world.now).expect("a name");
        let advice = [Advice::MakeTask, Advice::OpenStdin, Advice::StayInForeground];
        assert_eq!(why.links[0].advice, advice);
        // An end that is a failure is told as one.
        let expected = |event: &Event| matches!(event, Event::Exited { expected: true, .. });
        assert!(world.order(expected).is_empty());
    }
    // The same of one whose checks have not held yet.
    let stack = alone(service("d", &[]));
    let mut world = world_of(&stack, "d", Script { ready: None, ..ends(SECOND, Exit::SUCCESS) });
    let op = world.ask(up(&stack, &[]));
    world.pass(60 * SECOND);
    assert!(matches!(world.how(op, "d"), ItemOutcome::Failed { .. }));
    assert_eq!(world.state("d"), ServiceState::Failed);
}

#[test]
fn a_good_exit_later_is_no_failure_and_is_not_ready() {
    let stack = alone(unchecked("d", &[]));
    let mut world = world_of(&stack, "d", ends(SECOND, Exit::SUCCESS));
    let op = world.ask(up(&stack, &[]));
    world.pass(5 * SECOND);
    assert!(matches!(world.how(op, "d"), ItemOutcome::Ready { .. }));
    assert_eq!(world.state("d"), ServiceState::Exited);
    let all = world.ask(wait(&[], Until::Ready));
    let named = world.ask(wait(&["d"], Until::Ready));
    let ended = ItemOutcome::Ended { exit: Some(Exit::SUCCESS) };
    assert_eq!((world.how(all, "d"), world.how(named, "d")), (&ended, &ended));
}

#[test]
fn what_needs_it_goes_ahead_at_once_and_stays_up() {
    let stack = stack(vec![unchecked("d", &[]), service("api", &["d"])], vec![]);
    let mut world = world_of(&stack, "d", ends(SECOND / 10, Exit::Code(3)));
    let op = world.ask(up(&stack, &[]));
    world.pass(Duration::from_millis(20));
    assert_eq!(world.order(started), ["d", "api"]);
    world.pass(60 * SECOND);
    assert!(matches!(world.how(op, "d"), ItemOutcome::Failed { .. }));
    assert!(matches!(world.how(op, "api"), ItemOutcome::Ready { .. }));
    assert_eq!(world.state("api"), ServiceState::Ready);
}

#[test]
fn all_together_wait_for_half_a_second_and_no_longer() {
    let names = ["a", "b", "c"];
    let mut chain =
        stack(vec![unchecked("a", &[]), unchecked("b", &["a"]), unchecked("c", &["b"])], vec![]);
    let mut world = World::new(chain.clone());
    let op = world.ask(up(&chain, &[]));
    world.pass(TRIAL);
    assert!(world.open(op));
    world.pass(SECOND / 10);
    assert!(names.iter().all(|name| matches!(world.how(op, name), ItemOutcome::Ready { .. })));
    // With something slower there is nothing to pay.
    chain.services.push(service("slow", &[]));
    let mut world = world_of(&chain, "slow", Script { ready: Some(SECOND), ..Script::default() });
    let op = world.ask(up(&chain, &[]));
    world.pass(SECOND + Duration::from_millis(20));
    assert!(matches!(world.how(op, "slow"), ItemOutcome::Ready { .. }));
}

#[test]
fn a_delay_is_a_check() {
    let mut service = unchecked("d", &[]);
    service.ready.checks = vec![Check::Delay(SECOND / 10)];
    let stack = alone(service);
    let mut world = World::new(stack.clone());
    let op = world.ask(up(&stack, &[]));
    world.pass(SECOND / 4);
    assert!(matches!(world.how(op, "d"), ItemOutcome::Ready { .. }));
    assert!(world.view("d").checked);
}

#[test]
fn a_restart_and_the_end_of_a_window_wait_for_it_and_a_run_that_needs_it_does_not() {
    let mut window = task("window", &[]);
    window.without = vec!["d".into()];
    let stack = stack(vec![unchecked("d", &[])], vec![window, task("t", &["d"])]);
    let mut world = World::new(stack.clone());
    world.ask(up(&stack, &[]));
    world.pass(SECOND);
    world.scripts.insert("d".into(), ends(SECOND / 10, Exit::Code(3)));
    let failed = |world: &World, op| matches!(world.how(op, "d"), ItemOutcome::Failed { .. });
    let op = world.ask(restart(&["d"]));
    world.pass(60 * SECOND);
    assert!(failed(&world, op));

    world.scripts.clear();
    world.ask(up(&stack, &[]));
    world.pass(SECOND);
    world.scripts.insert("d".into(), ends(SECOND / 10, Exit::Code(3)));
    let op = world.ask(run(&stack, "window"));
    world.pass(60 * SECOND);
    assert!(matches!(world.how(op, "window"), ItemOutcome::Ready { .. }));
    assert!(failed(&world, op), "{:?}", world.results(op));

    let mut world = world_of(&stack, "d", ends(SECOND / 5, Exit::Code(3)));
    let op = world.ask(run(&stack, "t"));
    world.pass(SECOND / 5);
    assert!(matches!(world.how(op, "t"), ItemOutcome::Ready { .. }));
}

#[test]
fn whoever_asks_meanwhile_waits_too() {
    let stack = alone(unchecked("d", &[]));
    let asks: [fn(&Stack) -> Command; 3] =
        [|stack| up(stack, &[]), |_| wait(&[], Until::Ready), |_| wait(&["d"], Until::Ready)];
    for ask in asks {
        let mut world = world_of(&stack, "d", ends(SECOND / 5, Exit::Code(3)));
        world.ask(up(&stack, &[]));
        world.pass(SECOND / 10);
        assert_eq!(world.state("d"), ServiceState::Ready);
        assert!(!world.view("d").proven && !world.view("d").checked);
        let op = world.ask(ask(&stack));
        assert!(world.open(op));
        world.pass(60 * SECOND);
        assert!(matches!(world.how(op, "d"), ItemOutcome::Failed { .. }));
    }
}

#[test]
fn a_restart_meanwhile_is_not_missed() {
    let stack = alone(unchecked("d", &[]));
    let mut world = World::new(stack.clone());
    world.ask(up(&stack, &[]));
    world.pass(SECOND);
    let first = world.ask(restart(&["d"]));
    world.pass(SECOND / 5);
    assert_eq!(world.state("d"), ServiceState::Ready);
    let second = world.ask(restart(&["d"]));
    world.pass(SECOND);
    assert_eq!(world.order(started), ["d"; 3]);
    for op in [first, second] {
        assert!(matches!(world.how(op, "d"), ItemOutcome::Ready { .. }));
    }
}

#[test]
fn a_supervisor_that_dies_meanwhile_forgets_nothing() {
    let stack = alone(unchecked("d", &[]));
    for after in (0..500).step_by(20) {
        let mut world = World::new(stack.clone());
        world.ask(up(&stack, &[]));
        world.pass(Duration::from_millis(after));
        world.die_and_restore();
        let again = world.ask(up(&stack, &[]));
        world.pass(TRIAL.saturating_sub(Duration::from_millis(after + 10)));
        assert!(world.open(again), "died after {after}: too early");
        world.pass(SECOND / 10);
        assert!(matches!(
            world.how(again, "d"),
            ItemOutcome::Ready { .. } | ItemOutcome::Unchanged
        ));
        let mut world = world_of(&stack, "d", ends(Duration::from_millis(490), Exit::Code(1)));
        world.ask(up(&stack, &[]));
        world.pass(Duration::from_millis(after));
        world.die_and_restore();
        world.pass(60 * SECOND);
        assert_eq!(world.told_ready(), 0, "died after {after}");
        assert_eq!(world.state("d"), ServiceState::Failed, "died after {after}");
    }
}

#[test]
fn a_stop_meanwhile_is_no_failure() {
    let stack = alone(unchecked("d", &[]));
    let mut world = World::new(stack.clone());
    let op = world.ask(up(&stack, &[]));
    world.pass(SECOND / 10);
    world.ask(down(&[]));
    world.pass(10 * SECOND);
    assert!(world.outcome(op).superseded && world.core.is_idle());
    assert_eq!(world.told_ready(), 0);
    // And leaves nothing for the next start.
    let op = world.ask(up(&stack, &[]));
    world.pass(SECOND);
    assert!(matches!(world.how(op, "d"), ItemOutcome::Ready { .. }));
}

#[test]
fn all_is_what_was_asked_for_and_not_taken_back() {
    let mut by_name = service("tools", &[]);
    by_name.autostart = false;
    let stack =
        stack(vec![service("a", &[]), service("b", &["db"]), service("db", &[]), by_name], vec![]);
    let names = |world: &World| {
        let wanted = world.core.services(world.now).into_iter().filter(|view| view.wanted);
        wanted.map(|view| view.name).collect::<Vec<_>>()
    };
    let mut world = World::new(stack.clone());
    let op = world.ask(wait(&[], Until::Ready));
    assert_eq!(world.results(op), [], "nothing was asked for");
    world.ask(up(&stack, &["a"]));
    let op = world.ask(wait(&[], Until::Ready));
    world.pass(SECOND);
    assert_eq!(world.results(op).len(), 1, "b was not asked for");
    world.ask(up(&stack, &["b"]));
    world.pass(SECOND);
    assert_eq!(names(&world), ["a", "b", "db"]);
    world.ask(down(&["b"]));
    world.pass(SECOND);
    assert_eq!(names(&world), ["a"]);
    let op = world.ask(wait(&[], Until::Ready));
    assert_eq!(world.results(op).len(), 1);

    // What is taken back while it is waited for is waited for no more; what is added is.
    world.scripts.insert("tools".into(), Script { ready: None, ..Script::default() });
    world.ask(up(&stack, &["tools"]));
    let op = world.ask(wait(&[], Until::Ready));
    world.pass(SECOND);
    assert!(world.open(op));
    world.ask(down(&["tools"]));
    world.pass(10 * SECOND);
    assert_eq!(world.results(op).len(), 1);
}

#[test]
fn an_up_of_everything_is_about_all_that_was_asked_for() {
    let mut by_name = service("tools", &[]);
    by_name.autostart = false;
    let stack = stack(vec![service("a", &[]), by_name], vec![]);
    let mut world = World::new(stack.clone());
    world.scripts.insert("tools".into(), Script { spawn_fails: true, ..Script::default() });
    world.ask(up(&stack, &["tools"]));
    world.pass(60 * SECOND);
    let op = world.ask(up(&stack, &[]));
    world.pass(60 * SECOND);
    assert!(matches!(world.how(op, "a"), ItemOutcome::Ready { .. }));
    assert!(matches!(world.how(op, "tools"), ItemOutcome::Failed { .. }));
}

#[test]
fn a_task_that_never_ran_is_not_told_as_done_and_one_that_failed_neither() {
    let mut stack = stack(vec![service("a", &[])], vec![task("t", &[])]);
    let mut world = World::new(stack.clone());
    world.ask(up(&stack, &[]));
    world.pass(SECOND);
    // Needed from now on, by what runs already.
    stack.services[0].needs.push(Need::new("t"));
    let op = world.ask(up(&stack, &[]));
    world.pass(SECOND);
    assert_eq!(world.results(op).iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["a"]);
    world.scripts.insert("t".into(), ends(SECOND / 10, Exit::Code(4)));
    world.ask(run(&stack, "t"));
    world.pass(5 * SECOND);
    let op = world.ask(up(&stack, &[]));
    world.pass(SECOND);
    assert!(matches!(world.how(op, "t"), ItemOutcome::Failed { exit: Some(Exit::Code(4)), .. }));
    let op = world.ask(wait(&[], Until::Done));
    assert!(matches!(world.how(op, "t"), ItemOutcome::Failed { .. }));
}

#[test]
fn restarts_count_what_nobody_had_asked_for() {
    let mut stack = alone(service("a", &[]));
    let mut world = World::new(stack.clone());
    world.ask(up(&stack, &[]));
    world.pass(SECOND);
    world.crash("a");
    world.pass(5 * SECOND);
    assert_eq!(world.view("a").restarts, 1);
    world.ask(restart(&["a"]));
    world.pass(5 * SECOND);
    stack.services[0].command = Some(Program::Run(vec!["serve".into(), "more".into()]));
    world.ask(up(&stack, &[]));
    world.pass(5 * SECOND);
    let view = world.view("a");
    assert_eq!((view.generation, view.restarts), (4, 1));
    world.crash("a");
    world.pass(5 * SECOND);
    assert_eq!(world.view("a").restarts, 2);
    world.ask(down(&["a"]));
    world.pass(5 * SECOND);
    world.ask(up(&stack, &[]));
    world.pass(5 * SECOND);
    assert_eq!(world.view("a").restarts, 0);
}

#[test]
fn a_hook_that_failed_is_known_until_the_next_start() {
    let mut service = service("a", &[]);
    service.hooks.after_ready = vec![Program::Run(vec!["greet".into()])];
    let stack = alone(service);
    let mut world = world_of(&stack, "a", Script { hooks: Exit::Code(2), ..Script::default() });
    world.ask(up(&stack, &[]));
    world.pass(SECOND);
    assert_eq!(world.state("a"), ServiceState::Ready);
    let how = HookFailure::Exit { exit: Exit::Code(2) };
    let notice = Notice::HookFailed { hook: Hook::AfterReady, how };
    assert_eq!(world.view("a").notices, std::slice::from_ref(&notice));
    let why = world.core.why("a", world.now).expect("a name");
    assert!(why.links[0].evidence.contains(&Evidence::Notice { notice }), "{why:?}");
    world.scripts.clear();
    world.ask(restart(&["a"]));
    world.pass(SECOND);
    assert!(world.view("a").notices.is_empty());
}
