//! A world that carries out the core's effects on a virtual clock: processes that get ready,
//! crash, hang and refuse to die as their scripts say.

use std::{
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap},
    time::Duration,
};

use stackrun::{
    core::lifecycle::{self, Exited, PortsAnswer, ProbeAnswer},
    core::stack::{Command, Effect, Input, OpId, Outcome, SnapshotDelta, Supervisor},
    event::{Cause, Event, Tick},
    model::{Background, Exit, Hook, Signal, Stack},
    reason::{CheckAnswer, CheckLabel, FailedCheck},
};

/// How one start of a service or task goes.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Script {
    /// How long everything but the process itself takes.
    pub(crate) answers: Duration,
    pub(crate) ports_busy: bool,
    pub(crate) spawn_fails: bool,
    /// From the spawn to the first check that holds; never without one.
    pub(crate) ready: Option<Duration>,
    /// When and how the main process ends by itself.
    pub(crate) exits: Option<(Duration, Exit)>,
    /// Processes besides the main one.
    pub(crate) others: usize,
    /// How long it takes to end after the signal; not at all without one.
    pub(crate) ends: Option<Duration>,
    /// How long it survives a kill.
    pub(crate) survives: Duration,
    /// When liveness fails from then on.
    pub(crate) sick: Option<Duration>,
    /// When its memory is too much.
    pub(crate) bloated: Option<Duration>,
    /// How long its ports stay in use after its end.
    #[serde(default)]
    pub(crate) releases: Duration,
    /// How the hooks end.
    pub(crate) hooks: Exit,
    pub(crate) unchanged: bool,
    /// How long it takes to write down what a success leaves; for ever without one.
    pub(crate) records: Option<Duration>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            answers: Duration::from_millis(1),
            ports_busy: false,
            spawn_fails: false,
            ready: Some(Duration::from_millis(100)),
            exits: None,
            others: 0,
            ends: Some(Duration::from_millis(50)),
            survives: Duration::from_millis(1),
            sick: None,
            bloated: None,
            releases: Duration::ZERO,
            hooks: Exit::SUCCESS,
            unchanged: true,
            records: Some(Duration::from_millis(1)),
        }
    }
}

type Key = (String, u64);

#[derive(Debug, Clone)]
struct Process {
    main: bool,
    others: usize,
    script: Script,
    probing: u64,
}

#[derive(Debug, Clone, PartialEq)]
enum Happening {
    Input(lifecycle::Input),
    Spawns,
    Ends(Exit),
    DiesOfKill,
    Gone { swept: usize },
    ReadyProbe { round: u64, at: Tick },
    AliveProbe { round: u64, at: Tick },
    HookOver(Hook),
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    at: Tick,
    order: u64,
    key: Key,
    what: Happening,
}

impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// What was seen of one service or task, with when.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) struct Seen {
    pub(crate) at: Tick,
    pub(crate) name: String,
    pub(crate) generation: u64,
    pub(crate) event: Event,
    pub(crate) cause: Cause,
}

/// Decides how a start goes, by name and generation.
type Chooser = Box<dyn FnMut(&str, u64) -> Script>;

pub(crate) struct World {
    pub(crate) core: Supervisor,
    pub(crate) now: Tick,
    pub(crate) seen: Vec<Seen>,
    pub(crate) settled: BTreeMap<OpId, Vec<Outcome>>,
    pub(crate) scripts: HashMap<String, Script>,
    /// Decides the script of each start, if there is one.
    pub(crate) dice: Option<Chooser>,
    /// Everything that was told to the core, to be written down when something goes wrong.
    pub(crate) history: Vec<(Tick, Input)>,
    pub(crate) saves: usize,
    /// The snapshot as it is kept, change by change.
    kept: String,
    next_op: u64,
    order: u64,
    queue: BinaryHeap<Entry>,
    chosen: HashMap<Key, Script>,
    processes: BTreeMap<Key, Process>,
    spawned: BTreeSet<Key>,
    /// When the ports of those that have ended are free.
    released: HashMap<Key, Tick>,
    /// Who was asked to end.
    asked: BTreeSet<Key>,
    hooks: BTreeSet<(Key, Hook)>,
}

impl World {
    pub(crate) fn new(stack: Stack) -> Self {
        let mut world = Self {
            core: Supervisor::new(stack, 42),
            now: Tick(Duration::from_secs(1000)),
            seen: Vec::new(),
            settled: BTreeMap::new(),
            scripts: HashMap::new(),
            dice: None,
            history: Vec::new(),
            saves: 0,
            kept: String::new(),
            next_op: 0,
            order: 0,
            queue: BinaryHeap::new(),
            chosen: HashMap::new(),
            processes: BTreeMap::new(),
            spawned: BTreeSet::new(),
            released: HashMap::new(),
            asked: BTreeSet::new(),
            hooks: BTreeSet::new(),
        };
        world.keep_note();
        world
    }

    /// Asks for something as a client would.
    pub(crate) fn ask(&mut self, command: Command) -> OpId {
        self.next_op += 1;
        let op = OpId(self.next_op);
        let pid = u32::try_from(op.0).expect("few requests");
        let cause = Cause::Command { command: "stackrun".into(), pid };
        self.tell(Input::Command { op, command, cause });
        op
    }

    pub(crate) fn tell(&mut self, input: Input) {
        self.history.push((self.now, input.clone()));
        let effects = self.core.handle(input, self.now);
        // As the loop does: after some inputs, not after each.
        if self.history.len().is_multiple_of(8) {
            self.keep_note();
        }
        self.carry_out(effects);
    }

    fn keep_note(&mut self) {
        match self.core.snapshot_delta() {
            SnapshotDelta::Nothing => {}
            SnapshotDelta::Lines(lines) => self.kept.push_str(&lines),
            SnapshotDelta::Whole(snapshot) => self.kept = snapshot,
        }
    }

    /// The supervisor that would come back from what was kept.
    pub(crate) fn restored(&mut self) -> Supervisor {
        self.keep_note();
        Supervisor::restore(self.core.stack().clone(), &self.kept).expect("its own snapshot")
    }

    /// Lets everything happen that happens within `span`.
    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while self.step(end) {}
        self.now = end;
    }

    /// The next thing that happens, if that is before `end`.
    pub(crate) fn step(&mut self, end: Tick) -> bool {
        let world = self.queue.peek().map(|entry| entry.at);
        let core = self.core.deadline();
        let (at, is_core) = match (world, core) {
            (Some(world), Some(core)) if core < world => (core, true),
            (Some(world), _) => (world, false),
            (None, Some(core)) => (core, true),
            (None, None) => return false,
        };
        if at > end {
            return false;
        }
        self.now = self.now.max(at);
        assert!(
            self.history.len() < 6_000 + 50 * self.core.services(self.now).len(),
            "no end of it"
        );
        if is_core {
            self.tell(Input::Timer);
            assert!(self.core.deadline().is_none_or(|at| at > self.now), "a deadline that stays");
        } else if let Some(entry) = self.queue.pop() {
            self.happen(&entry.key, entry.what);
        }
        true
    }

    /// The supervisor dies and comes back from its snapshot.
    pub(crate) fn die_and_restore(&mut self) {
        let snapshot = self.core.snapshot();
        self.core = self.restored();
        assert_eq!(self.core.snapshot(), snapshot, "what was kept change by change is the whole");
        let effects = self.core.resume(self.now);
        self.carry_out(effects);
    }

    /// Processes that live, as (name, generation).
    pub(crate) fn alive(&self) -> Vec<Key> {
        let live = self.processes.iter().filter(|(_, process)| process.main || process.others > 0);
        live.map(|(key, _)| key.clone()).collect()
    }

    /// Ends the main process of a service or task, if it has one.
    pub(crate) fn crash(&mut self, name: &str) {
        let found = self.processes.iter().find(|(key, process)| key.0 == name && process.main);
        if let Some(key) = found.map(|(key, _)| key.clone()) {
            self.happen(&key, Happening::Ends(Exit::Signal(Signal::KILL)));
        }
    }

    /// Tells the core that the main process of a start has ended by itself.
    pub(crate) fn exit(&mut self, name: &str, generation: u64, exit: Exit) {
        let exited = Exited::new(exit, self.now);
        self.deliver(&(name.to_owned(), generation), lifecycle::Input::Exited(exited));
    }

    /// The process that the next request will seem to come from.
    pub(crate) fn next_request(&self) -> u32 {
        u32::try_from(self.next_op + 1).expect("few requests")
    }

    /// Requests without an answer, apart from these.
    pub(crate) fn open_waits(&self, known: &BTreeSet<OpId>) -> Vec<OpId> {
        let all = (1..=self.next_op).map(OpId);
        all.filter(|op| !known.contains(op) && !self.settled.contains_key(op)).collect()
    }

    fn later(&mut self, after: Duration, key: &Key, what: Happening) {
        self.order += 1;
        let entry = Entry { at: self.now + after, order: self.order, key: key.clone(), what };
        self.queue.push(entry);
    }

    fn answer(&mut self, after: Duration, key: &Key, input: lifecycle::Input) {
        self.later(after, key, Happening::Input(input));
    }

    fn script(&mut self, key: &Key) -> Script {
        if let Some(script) = self.chosen.get(key) {
            return script.clone();
        }
        let script = match &mut self.dice {
            Some(dice) => dice(&key.0, key.1),
            None => self.scripts.get(&key.0).cloned().unwrap_or_default(),
        };
        self.chosen.insert(key.clone(), script.clone());
        script
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Unit { name, generation, effect } => {
                    self.carry_out_one((name, generation), effect);
                }
                Effect::Publish(event, cause) => {
                    let (at, name) = (self.now, String::new());
                    self.seen.push(Seen { at, name, generation: 0, event, cause });
                }
                Effect::CommandEnded { op, outcome } => {
                    self.settled.entry(op).or_default().push(outcome);
                }
                Effect::Save => self.saves += 1,
            }
        }
    }

    fn carry_out_one(&mut self, key: Key, effect: lifecycle::Effect) {
        let script = self.script(&key);
        let soon = script.answers;
        match effect {
            lifecycle::Effect::CheckPorts => {
                let answer = if script.ports_busy {
                    PortsAnswer::Busy { port: 80, holder: "pid 1 (nginx)".into() }
                } else {
                    PortsAnswer::Free
                };
                self.answer(soon, &key, lifecycle::Input::Ports(answer));
            }
            lifecycle::Effect::CheckReleased => {
                let at = self.now + script.releases;
                let free = *self.released.entry(key.clone()).or_insert(at) <= self.now;
                self.answer(soon, &key, lifecycle::Input::Released(free));
            }
            lifecycle::Effect::Cleanup => {
                self.answer(soon, &key, lifecycle::Input::Cleaned(Ok(())));
            }
            lifecycle::Effect::RunHook(hook) => {
                if self.hooks.insert((key.clone(), hook)) {
                    self.later(soon * 3, &key, Happening::HookOver(hook));
                }
            }
            // Some do not care.
            lifecycle::Effect::EndHook(hook) => {
                if key.1.is_multiple_of(2) {
                    self.later(soon, &key, Happening::HookOver(hook));
                }
            }
            lifecycle::Effect::KillHook(hook) => {
                self.later(Duration::ZERO, &key, Happening::HookOver(hook));
            }
            lifecycle::Effect::Spawn { .. } => {
                if self.spawned.insert(key.clone()) {
                    self.later(soon, &key, Happening::Spawns);
                }
            }
            lifecycle::Effect::CheckSpawned => {
                if !self.spawned.contains(&key) {
                    let error = "it was never started".to_owned();
                    self.answer(soon, &key, lifecycle::Input::SpawnFailed(error));
                }
            }
            lifecycle::Effect::CheckInputs => {
                self.answer(soon, &key, lifecycle::Input::Unchanged(script.unchanged));
            }
            lifecycle::Effect::TaskSucceeded => {
                if let Some(records) = script.records {
                    self.answer(records, &key, lifecycle::Input::Recorded);
                }
            }
            lifecycle::Effect::StartReady => self.probe(&key, true),
            lifecycle::Effect::StartAlive => self.probe(&key, false),
            lifecycle::Effect::StopProbes => {
                if let Some(process) = self.processes.get_mut(&key) {
                    process.probing += 1;
                }
            }
            lifecycle::Effect::SignalStop { .. } => {
                if let Some(ends) = script.ends
                    && self.asked.insert(key.clone())
                {
                    self.later(ends, &key, Happening::Ends(Exit::Signal(Signal::TERM)));
                }
            }
            lifecycle::Effect::KillTree => {
                if script.survives > Duration::from_secs(1) {
                    let stuck = lifecycle::Input::Stuck(vec!["7 (tree): D".into()]);
                    self.answer(Duration::from_millis(200), &key, stuck);
                }
                self.later(script.survives, &key, Happening::DiesOfKill);
            }
            lifecycle::Effect::Publish(event, cause) => {
                let (at, (name, generation)) = (self.now, key);
                self.seen.push(Seen { at, name, generation, event, cause });
            }
        }
    }

    fn probe(&mut self, key: &Key, ready: bool) {
        let script = self.script(key);
        let at = self.now;
        // An external service has no process of ours: what is checked is elsewhere.
        let process = self.processes.entry(key.clone()).or_insert_with(|| Process {
            main: false,
            others: 0,
            script: script.clone(),
            probing: 0,
        });
        process.probing += 1;
        let round = process.probing;
        let what = if ready {
            Happening::ReadyProbe { round, at }
        } else {
            Happening::AliveProbe { round, at }
        };
        self.later(script.answers, key, what);
    }

    fn happen(&mut self, key: &Key, what: Happening) {
        match what {
            Happening::Input(input) => self.deliver(key, input),
            Happening::Spawns => self.spawns(key),
            Happening::Ends(exit) => {
                let Some(process) = self.processes.get_mut(key) else { return };
                let left = process.others;
                if process.main {
                    process.main = false;
                    // Who goes on after a good end is in the background.
                    let background = (left > 0 && exit == Exit::SUCCESS)
                        .then(|| Background { pid: 7, command: "server".into() });
                    let exited = Exited { background, ..Exited::new(exit, self.now) };
                    self.deliver(key, lifecycle::Input::Exited(exited));
                    if left == 0 {
                        self.later(Duration::ZERO, key, Happening::Gone { swept: 0 });
                    }
                } else if left > 0 {
                    process.others = 0;
                    self.later(Duration::ZERO, key, Happening::Gone { swept: 0 });
                }
            }
            Happening::DiesOfKill => {
                if let Some(process) = self.processes.get_mut(key) {
                    let (main, swept) = (process.main, process.others);
                    process.main = false;
                    process.others = 0;
                    if main {
                        let exit = Exit::Signal(Signal::KILL);
                        let exited = Exited::new(exit, self.now);
                        self.deliver(key, lifecycle::Input::Exited(exited));
                    }
                    if main || swept > 0 {
                        self.later(Duration::ZERO, key, Happening::Gone { swept });
                    }
                }
            }
            Happening::Gone { swept } => self.deliver(key, lifecycle::Input::TreeGone { swept }),
            Happening::ReadyProbe { round, at } => self.ready_probe(key, round, at),
            Happening::AliveProbe { round, at } => self.alive_probe(key, round, at),
            Happening::HookOver(hook) => {
                if self.hooks.remove(&(key.clone(), hook)) {
                    let exit = Ok(self.script(key).hooks);
                    self.deliver(key, lifecycle::Input::HookEnded { hook, exit });
                }
            }
        }
    }

    fn spawns(&mut self, key: &Key) {
        let script = self.script(key);
        if script.spawn_fails {
            let error = "exec: no such file".to_owned();
            self.deliver(key, lifecycle::Input::SpawnFailed(error));
            return;
        }
        let is_task = self.core.stack().task(&key.0).is_some();
        let process =
            Process { main: true, others: script.others, script: script.clone(), probing: 0 };
        assert!(self.processes.insert(key.clone(), process).is_none(), "{key:?} spawned twice");
        if let Some((after, exit)) = script.exits {
            self.later(after, key, Happening::Ends(exit));
        } else if is_task {
            self.later(Duration::from_millis(80), key, Happening::Ends(Exit::SUCCESS));
        }
        if let Some(after) = script.bloated {
            self.answer(after, key, lifecycle::Input::MemoryExceeded(1 << 30));
        }
        self.deliver(key, lifecycle::Input::Spawned { pid: 100 + key.1 as u32, at: self.now });
    }

    fn ready_probe(&mut self, key: &Key, round: u64, at: Tick) {
        let Some(process) = self.processes.get(key).filter(|process| process.probing == round)
        else {
            return;
        };
        let ready = process.script.ready;
        let holds = ready.is_some_and(|ready| self.now.since(at) >= ready);
        if holds {
            self.deliver(key, lifecycle::Input::Probed(ProbeAnswer::Holds));
        } else {
            let check = CheckLabel::Tcp { ports: vec![80] };
            let answer = CheckAnswer::Error("connection refused".into());
            let failed = FailedCheck { check, answer };
            self.deliver(key, lifecycle::Input::Probed(ProbeAnswer::Fails(failed)));
            let pause = match ready {
                Some(ready) => (at + ready).since(self.now),
                None => Duration::from_secs(7),
            };
            self.later(pause, key, Happening::ReadyProbe { round, at });
        }
    }

    fn alive_probe(&mut self, key: &Key, round: u64, at: Tick) {
        let Some(process) = self.processes.get(key).filter(|process| process.probing == round)
        else {
            return;
        };
        let Some(sick) = process.script.sick else { return };
        let well = self.now.since(at) < sick;
        let answer = if well {
            ProbeAnswer::Holds
        } else {
            let check = CheckLabel::Http { target: "/health".into() };
            ProbeAnswer::Fails(FailedCheck { check, answer: CheckAnswer::Status { code: 503 } })
        };
        self.deliver(key, lifecycle::Input::Alive(answer));
        self.later(Duration::from_secs(2), key, Happening::AliveProbe { round, at });
    }

    fn deliver(&mut self, key: &Key, input: lifecycle::Input) {
        let (name, generation) = key.clone();
        self.tell(Input::Unit { name, generation, input });
    }
}
