//! Stacks, scripts and requests at random.

use std::time::Duration;

use proptest::prelude::*;
use stackrun::model::{
    Alive, Busy, Check, Command as Program, Exit, Group, Need, NeedUntil, Port, PortNumber,
    Restart, RestartWhen, Service, Stack, Step, StepCommand, Task, TaskBody,
};

use crate::world::Script;

/// A request, or something else that comes from outside.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Up {
        names: Vec<u8>,
        no_deps: bool,
    },
    Down {
        names: Vec<u8>,
    },
    Restart {
        names: Vec<u8>,
        with_dependents: bool,
        edited: bool,
        /// How long it was on its way, if it says so.
        ago: Option<Duration>,
    },
    Run {
        task: u8,
        force: bool,
    },
    Wait {
        name: u8,
        down: bool,
    },
    /// Ctrl-C of the last `run`.
    Cancel,
    /// The client of the last request goes away.
    Forget,
    /// The file changes: of which, and how.
    Edit {
        name: u8,
        how: EditHow,
    },
    Crash {
        name: u8,
    },
    /// Something comes late, of a start before the present one.
    Late {
        name: u8,
        what: u8,
    },
    /// The supervisor is killed and comes back.
    Die,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum EditHow {
    Command,
    Checks,
    Remove,
    Needs,
}

/// A stack that shows itself in a few lines.
#[derive(Clone)]
pub(crate) struct Shown(pub(crate) Stack);

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let needs = |needs: &[Need]| {
            let flags = |need: &Need| {
                let started = if need.until == NeedUntil::Started { " started" } else { "" };
                let follow = if need.follow { " follow" } else { "" };
                let optional = if need.optional { " optional" } else { "" };
                format!("{}{started}{follow}{optional}", need.name)
            };
            needs.iter().map(flags).collect::<Vec<_>>().join(", ")
        };
        for service in &self.0.services {
            let (name, after, grace) = (&service.name, &service.after, service.stop.grace);
            let external = if service.is_external() { " external" } else { "" };
            let auto = if service.autostart { "" } else { " by name" };
            let hooks = service.hooks.before_start.len() + 2 * service.hooks.after_stop.len();
            let (when, tries) = (service.restart.when, service.restart.tries);
            let alive = if service.alive.is_some() { " alive" } else { "" };
            let checks = service.ready.checks.len() + 2 * service.ports.len();
            writeln!(
                f,
                "{name}{external}{auto}{alive} needs [{}] after {after:?} {when:?} {tries} \
                 grace {grace:?} hooks {hooks} checks {checks}",
                needs(&service.needs)
            )?;
        }
        for task in &self.0.tasks {
            let Task { name, after, without, retries, timeout, inputs, on_failure, .. } = task;
            let undo = on_failure.len();
            writeln!(
                f,
                "{name} needs [{}] after {after:?} without {without:?} retries {retries} \
                 {timeout:?} inputs {} undo {undo}",
                needs(&task.needs),
                inputs.len()
            )?;
        }
        Ok(())
    }
}

/// A whole history: a stack, what is asked of it and when, and a seed for the world.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) stack: Shown,
    pub(crate) acts: Vec<(u16, Act)>,
    pub(crate) seed: u64,
    /// How likely something goes wrong, of 256.
    pub(crate) trouble: u8,
}

#[derive(Debug, Clone)]
struct Shape {
    is_task: bool,
    needs: Vec<(u8, u8)>,
    after: Vec<u8>,
    traits: u16,
    when: u8,
}

fn shape() -> impl Strategy<Value = Shape> {
    (
        prop::bool::weighted(0.25),
        prop::collection::vec((any::<u8>(), any::<u8>()), 0..4),
        prop::collection::vec(any::<u8>(), 0..2),
        any::<u16>(),
        any::<u8>(),
    )
        .prop_map(|(is_task, needs, after, traits, when)| Shape {
            is_task,
            needs,
            after,
            traits,
            when,
        })
}

pub(crate) fn stacks() -> impl Strategy<Value = Shown> {
    prop_oneof![
        6 => prop::collection::vec(shape(), 1..7),
        3 => prop::collection::vec(shape(), 4..14),
        1 => prop::collection::vec(shape(), 14..31),
    ]
    .prop_map(|shapes| Shown(build(&shapes)))
}

pub(crate) fn histories() -> impl Strategy<Value = History> {
    let act = prop_oneof![
        6 => (names(), prop::bool::weighted(0.1))
            .prop_map(|(names, no_deps)| Act::Up { names, no_deps }),
        4 => names().prop_map(|names| Act::Down { names }),
        4 => (names(), any::<bool>(), any::<bool>(), prop::option::of(0..500_u64)).prop_map(
            |(names, with_dependents, edited, ago)| {
                let ago = ago.map(Duration::from_millis);
                Act::Restart { names, with_dependents, edited, ago }
            }
        ),
        3 => (any::<u8>(), any::<bool>()).prop_map(|(task, force)| Act::Run { task, force }),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(name, down)| Act::Wait { name, down }),
        1 => Just(Act::Cancel),
        1 => Just(Act::Forget),
        3 => (any::<u8>(), prop_oneof![
            Just(EditHow::Command), Just(EditHow::Checks), Just(EditHow::Remove),
            Just(EditHow::Needs)
        ]).prop_map(|(name, how)| Act::Edit { name, how }),
        3 => any::<u8>().prop_map(|name| Act::Crash { name }),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(name, what)| Act::Late { name, what }),
        2 => Just(Act::Die),
    ];
    let acts = prop::collection::vec((any::<u16>(), act), 1..12);
    let trouble = prop_oneof![Just(0_u8), Just(20), Just(90)];
    (stacks(), acts, any::<u64>(), trouble).prop_map(|(stack, acts, seed, trouble)| History {
        stack,
        acts,
        seed,
        trouble,
    })
}

/// None means all.
fn names() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![2 => Just(Vec::new()), 3 => prop::collection::vec(any::<u8>(), 1..3)]
}

pub(crate) fn program(words: &str) -> Program {
    Program::Run(words.split(' ').map(Into::into).collect())
}

fn build(shapes: &[Shape]) -> Stack {
    let name = |place: usize| {
        let kind = if shapes[place].is_task { "t" } else { "s" };
        format!("{kind}{place}")
    };
    let mut stack = Stack { name: "random".into(), ..Stack::default() };
    for (place, shape) in shapes.iter().enumerate() {
        let earlier = |pick: u8| (place > 0).then(|| usize::from(pick) % place);
        let needs: Vec<Need> = shape
            .needs
            .iter()
            .filter_map(|(pick, flags)| {
                Some(Need {
                    name: name(earlier(*pick)?),
                    until: if flags & 7 == 0 { NeedUntil::Started } else { NeedUntil::Ready },
                    follow: flags & 24 == 0,
                    optional: flags & 96 == 0,
                })
            })
            .collect();
        let after = shape.after.iter().map(|pick| usize::from(*pick) % shapes.len());
        let after = after.filter(|other| *other != place).map(&name).collect();
        if shape.is_task {
            stack.tasks.push(build_task(&name(place), shape, needs, after, &stack));
        } else {
            stack.services.push(build_service(&name(place), shape, needs, after));
        }
    }
    let members = stack.names().take(2).map(str::to_owned).collect();
    stack.groups.push(Group { name: "some".into(), members });
    stack
}

fn build_service(name: &str, shape: &Shape, needs: Vec<Need>, after: Vec<String>) -> Service {
    let has = |bit: u16| shape.traits & (1 << bit) != 0;
    let mut service = Service::new(name, "/stack");
    if !(has(0) && has(1) && has(2)) {
        service.command = Some(program(&format!("serve {name}")));
    }
    service.needs = needs;
    service.after = after;
    service.autostart = !(has(3) && has(4));
    service.ready.within = Duration::from_secs(20);
    if has(5) {
        service.ready.checks = vec![Check::Tcp(None)];
    }
    if has(6) {
        service.ports.push(port());
    }
    if has(7) && has(8) {
        service.alive = Some(Alive { failures: 2, ..Alive::default() });
    }
    if has(9) && has(10) {
        service.cleanup = vec!["/stack/lock".into()];
        service.hooks.before_start = vec![program("prepare")];
    }
    if has(11) && has(12) {
        service.hooks.after_ready = vec![program("greet")];
        service.hooks.after_stop = vec![program("tidy")];
        service.stop.command = Some(program("please-stop"));
    }
    service.restart = Restart {
        when: [
            RestartWhen::OnFailure,
            RestartWhen::OnFailure,
            RestartWhen::Always,
            RestartWhen::Never,
        ][usize::from(shape.when) % 4],
        tries: u32::from(shape.when) / 64,
        ..Restart::default()
    };
    service.stop.grace = Duration::from_secs(u64::from(shape.when) % 10);
    service
}

fn port() -> Port {
    Port {
        name: None,
        number: PortNumber::Fixed(80),
        host: None,
        busy: Busy::Fail,
        share: false,
        any_owner: false,
    }
}

fn build_task(
    name: &str,
    shape: &Shape,
    needs: Vec<Need>,
    after: Vec<String>,
    so_far: &Stack,
) -> Task {
    let has = |bit: u16| shape.traits & (1 << bit) != 0;
    let mut task = Task::new(name, "/stack", TaskBody::Command(program(&format!("do {name}"))));
    if has(0) && has(1) {
        task.inputs = vec!["/stack/**".into()];
    }
    if has(2) {
        task.retries = 1;
    }
    if has(3) {
        task.timeout = Some(Duration::from_secs(3));
    }
    if has(4) && has(5) {
        let command = StepCommand::Command(program("undo"));
        task.on_failure.push(Step {
            name: "undo".into(),
            command,
            dir: "/stack".into(),
            env: Default::default(),
            stdin: None,
            stdout: None,
        });
    }
    // A task `without` what it needs, even indirectly, is an error of the file.
    if has(6)
        && let Some(other) =
            so_far.services.get(usize::from(shape.when) % so_far.services.len().max(1))
    {
        let mut trial = so_far.clone();
        task.needs.clone_from(&needs);
        trial.tasks.push(task.clone());
        let graph = stackrun::graph::Graph::of(&trial);
        let closure = graph.closure(graph.id(name));
        let held = graph.dependents(graph.id(&other.name));
        if closure.is_disjoint(&held) {
            task.without = vec![other.name.clone()];
        }
    }
    task.needs = needs;
    task.after = after;
    task
}

/// An edit that anybody could make. (A removed one is removed from the needs of others, too.)
pub(crate) fn edit(stack: &mut Stack, name: &str, how: EditHow) {
    match how {
        EditHow::Remove => {
            stack.services.retain(|service| service.name != name);
            stack.tasks.retain(|task| task.name != name);
            for service in &mut stack.services {
                service.needs.retain(|need| need.name != name);
            }
            for task in &mut stack.tasks {
                task.needs.retain(|need| need.name != name);
                task.without.retain(|other| other != name);
            }
            for group in &mut stack.groups {
                group.members.retain(|member| member != name);
            }
        }
        EditHow::Command | EditHow::Checks | EditHow::Needs => {
            let Some(service) = stack.services.iter_mut().find(|service| service.name == name)
            else {
                return;
            };
            match how {
                EditHow::Command if service.command.is_some() => {
                    let words = format!("{:?} --more", service.command);
                    service.command = Some(Program::Run(vec![words.as_str().into()]));
                }
                EditHow::Checks => service.ready.every += Duration::from_millis(1),
                EditHow::Needs => _ = service.needs.pop(),
                EditHow::Command | EditHow::Remove => {}
            }
        }
    }
}

/// splitmix64 over a seed, a name and a generation: the same start goes the same way.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64, name: &str, generation: u64) -> Self {
        let mixed = name.bytes().fold(seed ^ generation.rotate_left(40), |mixed, byte| {
            mixed.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte)
        });
        Self(mixed)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    fn millis(&mut self, end: u64) -> Duration {
        Duration::from_millis(self.below(end))
    }

    /// A script in which each thing goes wrong with a likelihood of `trouble` in 256.
    pub(crate) fn script(&mut self, trouble: u8) -> Script {
        let trouble = u64::from(trouble);
        let wrong = |dice: &mut Self| dice.below(256) < trouble;
        let exits = wrong(self).then(|| {
            let exit = if self.below(3) == 0 { Exit::SUCCESS } else { Exit::Code(1) };
            (self.millis(8000), exit)
        });
        let rare = wrong(self);
        let survives = if rare && wrong(self) { self.millis(60_000) } else { self.millis(20) };
        let script = Script {
            answers: self.millis(30),
            ports_busy: rare && wrong(self),
            spawn_fails: rare && wrong(self),
            ready: (!(rare && wrong(self))).then(|| self.millis(3000)),
            exits,
            others: self.below(3) as usize,
            ends: (!wrong(self)).then(|| self.millis(4000)),
            survives,
            sick: wrong(self).then(|| self.millis(5000)),
            bloated: (rare && wrong(self)).then(|| self.millis(9000)),
            hooks: if rare && wrong(self) { Exit::Code(2) } else { Exit::SUCCESS },
            unchanged: self.below(2) == 0,
            records: (!(rare && wrong(self))).then(|| self.millis(12_000)),
            releases: Duration::ZERO,
        };
        let releases = if wrong(self) { self.millis(7000) } else { Duration::ZERO };
        Script { releases, ..script }
    }
}
