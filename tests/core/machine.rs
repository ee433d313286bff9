//! Histories at random, and what must hold in each of them.

use std::{
    collections::BTreeSet,
    hash::{BuildHasher, Hasher, RandomState},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Duration,
};

use proptest::{
    prelude::*,
    test_runner::{FileFailurePersistence, RngAlgorithm, TestRng, TestRunner},
};
use stackrun::{
    core::lifecycle::{self, Exited, PortsAnswer, ProbeAnswer},
    core::stack::{Command, Input, OpId, Until},
    event::Tick,
    model::{Exit, Stack},
};

use crate::{
    checker::Checker,
    shapes::{Act, Dice, History, edit, histories},
    world::World,
};

/// At most one process tree a service; asked by the world whenever it starts one.
fn one_live_generation(world: &World) {
    let alive = world.alive();
    let names: BTreeSet<&String> = alive.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), alive.len(), "two generations live: {alive:?}");
}

fn nothing_happens_when_idle(world: &mut World) {
    if world.core.deadline().is_none_or(|at| at > world.now) {
        let (seen, settled) = (world.seen.len(), world.settled.len());
        // A whole snapshot is a quarter of the work of a history: now and then is often enough.
        let before = world.history.len().is_multiple_of(8).then(|| world.core.snapshot());
        world.tell(Input::Timer);
        assert_eq!((world.seen.len(), world.settled.len()), (seen, settled), "a timer too early");
        assert!(before.is_none_or(|before| world.core.snapshot() == before), "a timer too early");
    }
}

fn late_answers_are_ignored(world: &mut World, name: &str, what: u8) {
    let services = world.core.services(world.now);
    let Some(view) = services.iter().find(|view| view.name == name && view.generation > 0) else {
        return;
    };
    let (generation, before) = (view.generation - 1, world.core.snapshot());
    let input = match what % 5 {
        0 => lifecycle::Input::Exited(Exited::new(Exit::Code(1), world.now)),
        1 => lifecycle::Input::TreeGone { swept: 0 },
        2 => lifecycle::Input::Probed(ProbeAnswer::Holds),
        3 => lifecycle::Input::Spawned { pid: 1, at: world.now },
        _ => lifecycle::Input::Ports(PortsAnswer::Free),
    };
    world.tell(Input::Unit { name: name.to_owned(), generation, input });
    assert_eq!(world.core.snapshot(), before, "an answer of an earlier start of {name}");
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
        let tasks = &history.stack.0.tasks;
        let pick_task = |place: u8| match tasks.len() {
            0 => pick(place),
            count => tasks[usize::from(place) % count].name.clone(),
        };
        let command = match act {
            Act::Up { names, no_deps } => {
                let names: Vec<String> = names.iter().map(|name| pick(*name)).collect();
                Command::Up {
                    stack: Box::new(file.clone()),
                    names,
                    no_deps: *no_deps,
                    moved_ports: BTreeSet::new(),
                }
            }
            Act::Down { names } => {
                Command::Down { names: names.iter().map(|name| pick(*name)).collect() }
            }
            Act::Restart { names, with_dependents, edited, ago } => Command::Restart {
                stack: edited.then(|| Box::new(file.clone())),
                names: names.iter().map(|name| pick(*name)).collect(),
                with_dependents: *with_dependents,
                asked: ago.map(|ago| Tick(world.now.0.saturating_sub(ago))),
            },
            Act::Run { task, force } => Command::Run {
                stack: Box::new(file.clone()),
                task: pick_task(*task),
                args: vec![],
                force: *force,
                again: false,
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
                Command::Up {
                    stack: Box::new(file.clone()),
                    names: vec![],
                    no_deps: false,
                    moved_ports: BTreeSet::new(),
                }
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
        checker.forget_backoffs(&command, world.core.stack());
        let is_run = matches!(act, Act::Run { .. });
        let is_wait = matches!(act, Act::Wait { .. });
        let called_off = match &command {
            Command::Down { names } => Some((world.next_request(), names.clone())),
            _ => None,
        };
        let planned = world.core.plan(&command, world.now);
        if planned.is_ok() {
            checker.wishes.hear(&command, world.core.stack());
        }
        let op = world.ask(command);
        let refused = world.settled.get(&op).is_some_and(|outcomes| outcomes[0].refused.is_some());
        assert_eq!(planned.is_err(), refused, "the plan of {act:?}");
        if let Some((request, names)) = called_off.filter(|_| !refused) {
            checker.call_off(world, request, &names);
        }
        if is_run {
            last_run = Some(op);
        }
        if !is_wait {
            open.insert(op);
        }
        checker.observe(world);
        checker.windows_are_held_by_runs(world);
        nothing_happens_when_idle(world);
    }
    pass(world, &mut checker, Duration::from_secs(20));
    checker.windows_are_held_by_runs(world);
    checker.call_off(world, world.next_request(), &[]);
    let down = Command::Down { names: vec![] };
    checker.wishes.hear(&down, world.core.stack());
    open.insert(world.ask(down));
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

/// How many histories to try: `STACKRUN_CASES`.
#[expect(clippy::disallowed_methods, reason = "the one setting of the tests")]
pub(crate) fn cases() -> u32 {
    std::env::var("STACKRUN_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(10_000)
}

pub(crate) fn runner(cases: u32) -> TestRunner {
    let config = ProptestConfig {
        cases,
        // What has failed once is tried first from then on.
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(FAILED))),
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    };
    TestRunner::new_with_rng(config, rng())
}

/// Where the seeds of histories that have failed are kept.
const FAILED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/core/failed-seeds.txt");

/// The same histories each time, so that a higher number of cases goes further. `STACKRUN_SEED` is
/// a number for others, or `random`.
#[expect(clippy::disallowed_methods, reason = "a setting of the tests")]
#[expect(clippy::print_stdout, reason = "what was chosen at random, for when it fails")]
fn rng() -> TestRng {
    let seed: u64 = match std::env::var("STACKRUN_SEED").as_deref() {
        Err(_) => return TestRng::deterministic_rng(RngAlgorithm::ChaCha),
        Ok("random") => RandomState::new().build_hasher().finish(),
        Ok(number) => number.parse().expect("STACKRUN_SEED is a number or `random`"),
    };
    println!("STACKRUN_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
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
    let result = runner(cases()).run(&histories(), |history| {
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
