//! Plans, reasons, notes; and many services at once.

use stackrun::{
    core::stack::ItemOutcome,
    model::{Command, Exit, ServiceState, State, Text},
    reason::{Action, Failure, PlanReason},
    status::{Advice, Because, Evidence},
};

use crate::{
    scenarios::{SECOND, down, ready_world, service, shop, stack, up},
    world::{Script, World},
};

const FAILED: State = State::Service(ServiceState::Failed);

#[test]
fn a_note_with_its_changes_is_as_good_as_a_new_one() {
    let mut world = World::new(shop());
    world.ask(up(&shop(), &[]));
    assert_eq!(world.restored().snapshot(), world.core.snapshot());
    while world.step(world.now + SECOND) {
        assert_eq!(world.restored().snapshot(), world.core.snapshot());
    }
}

#[test]
fn a_plan_says_what_up_would_do_and_why() {
    let world = ready_world(&shop());
    let mut edited = shop();
    edited.services[1].env.insert("LEVEL".into(), stackrun::model::EnvValue::open("debug"));
    edited.services[1].restart.tries = 9;
    edited.services.remove(2);
    edited.services.push(service("docs", &["postgres"]));
    let plan = world.core.plan(&up(&edited, &[]), world.now).expect("no refusal");
    let steps: Vec<(&str, Action)> =
        plan.steps.iter().map(|step| (step.name.as_str(), step.action)).collect();
    let expected = [
        ("web", Action::Stop),
        ("postgres", Action::Keep),
        ("docs", Action::Start),
        ("migrate", Action::Run),
        ("api", Action::Restart),
    ];
    assert_eq!(steps, expected);
    let reasons: Vec<&PlanReason> = plan.steps.iter().map(|step| &step.reason).collect();
    let state = State::Service(ServiceState::Ready);
    let needed = PlanReason::NeededBy { name: "api".into() };
    let others =
        [PlanReason::NotInFile, PlanReason::Already { state }, PlanReason::NotRunning, needed];
    assert_eq!(reasons[..4], others.each_ref());
    let PlanReason::Edited { changes } = reasons[4] else { panic!("{reasons:?}") };
    let keys: Vec<(&str, bool)> =
        changes.iter().map(|change| (change.key.as_str(), change.restarts())).collect();
    assert_eq!(keys, [("env.LEVEL", true), ("restart", false)]);
}

#[test]
fn why_goes_down_to_the_root() {
    let mut world = World::new(shop());
    world.scripts.insert("postgres".into(), Script { spawn_fails: true, ..Script::default() });
    world.ask(up(&shop(), &[]));
    world.pass(60 * SECOND);
    let why = world.core.why("web", world.now).expect("a known name");
    let [web, api, root] = why.links.as_slice() else { panic!("{why:?}") };
    for (link, name) in [(web, "web"), (api, "api")] {
        let blocked = Because::Blocked { by: "postgres".into() };
        assert_eq!((link.name.as_str(), &link.because), (name, &Some(blocked)));
        assert_eq!(link.state, State::Service(ServiceState::Waiting));
    }
    assert_eq!((root.name.as_str(), root.state), ("postgres", FAILED));
    let Some(Because::Failed { reason }) = &root.because else { panic!("{root:?}") };
    assert!(matches!(reason.failure, Failure::NotStarted { .. }), "{reason:?}");
    assert_eq!(root.next, ["stackrun logs postgres", "stackrun restart postgres"]);
    assert!(world.core.why("nobody", world.now).is_none());
}

#[test]
fn why_names_the_hook_that_failed() {
    let mut shop = shop();
    let api = shop.services.iter_mut().find(|service| service.name == "api").expect("an api");
    api.hooks.before_start = vec![Command::Run(vec![Text::literal("prepare")])];
    let mut world = World::new(shop.clone());
    let script = Script { hooks: Exit::Code(3), ..Script::default() };
    world.scripts.insert("api".into(), script);
    world.ask(up(&shop, &[]));
    world.pass(60 * SECOND);
    let why = world.core.why("api", world.now).expect("a known name");
    assert_eq!(why.links[0].setting.as_deref(), Some("api.before-start"), "{why:?}");
}

#[test]
fn why_says_what_mends_what_ends_by_its_memory() {
    let mut api = service("api", &[]);
    api.memory_max = Some(64 << 20);
    let stack = stack(vec![api], vec![]);
    let mut world = World::new(stack.clone());
    let script = Script { bloated: Some(SECOND), ..Script::default() };
    world.scripts.insert("api".into(), script);
    world.ask(up(&stack, &[]));
    world.pass(120 * SECOND);
    let why = world.core.why("api", world.now).expect("a known name");
    let link = &why.links[0];
    assert_eq!(link.state, FAILED);
    assert_eq!(link.advice, [Advice::RaiseMemoryMax { max_bytes: 64 << 20 }]);
    // The same number as `status` has.
    let times = world.core.services(world.now)[0].restarts;
    assert!(link.evidence.contains(&Evidence::Restarts { times }), "{link:?}");
}

#[test]
fn a_thousand_services_start() {
    let name = |n: usize| format!("s{n:04}");
    let services = (0..1000).map(|n| {
        let needs: Vec<String> = (n % 10 > 0).then(|| name(n - 1)).into_iter().collect();
        service(&name(n), &needs.iter().map(String::as_str).collect::<Vec<_>>())
    });
    let stack = stack(services.collect(), vec![]);
    let mut world = World::new(stack.clone());
    let op = world.ask(up(&stack, &[]));
    world.pass(60 * SECOND);
    assert!(world.results(op).iter().all(|(_, how)| matches!(how, ItemOutcome::Ready { .. })));
    let bytes = world.core.snapshot().len();
    assert!(bytes < 1_000_000, "a snapshot of {bytes} bytes");
    world.ask(down(&[]));
    world.pass(60 * SECOND);
    assert!(world.core.is_idle());
}
