//! The main thread: it waits for whatever happens, and does what follows from it.
//!
//! Each turn takes what has happened (messages, ends of processes, words of the log thread),
//! then *settles*: looks at the process table if any tree asks for it (one look serves all),
//! tells the supervisor what is new, and sleeps until something happens or is due.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ffi::OsString,
    io,
    os::unix::net::UnixStream,
    sync::{Arc, mpsc::Receiver},
    time::Duration,
};

use super::{
    abandoned_checks::AbandonedChecks,
    connection::Connection,
    finish::Finish,
    journal::Journal,
    left::Left,
    logs::{Logs, Tell},
    memory::Kills,
    orphans::Strays,
    process_scan::ScanSchedule,
    protocol::{Checkpoint, FromKeeper, PROTOCOL, UnitId},
    runtime_dir::Home,
    spawn_batch::Batch,
    start::Environment,
    supervisor_process::Gate,
    terminal::Terminal,
    unit::Unit,
    upgrade::Handoff,
};
use crate::{
    event::Tick,
    model::Exit,
    platform::{self, Poller, Process, Readiness, SignalPipe, StackDir, StackPaths, Waker},
};

/// The first token for processes; below are the fixed ones.
const LINE: u64 = 0;
const WAKE: u64 = 1;
const SIGNAL: u64 = 2;
pub(super) const HOME: u64 = 3;
const FIRST: u64 = 4;

/// Zombies of strangers are looked for at most so often.
const ORPHANS: Duration = Duration::from_millis(20);

/// Words for people are kept for a supervisor that is away, up to this many.
const UNHEARD: usize = 100;

/// The numbers of rotated logs, rising, by the name of the log's file.
type Rotated = BTreeMap<OsString, Vec<u64>>;

/// The state of a keeper.
pub(super) struct Keeper {
    pub(super) places: StackPaths,
    /// The stack's folder, and those in it.
    pub(super) stack: StackDir,
    pub(super) handoff: Handoff,
    pub(super) poller: Poller,
    pub(super) logs: Logs,
    pub(super) waker: Arc<Waker>,
    pub(super) signals: SignalPipe,
    /// Where new connections come from.
    pub(super) lines: Receiver<UnixStream>,
    /// A supervisor that has not been let in yet.
    arrived: Option<UnixStream>,
    pub(super) line: Option<Connection>,
    /// Whether there was one before.
    had_supervisor: bool,
    /// Closed to supervisors while the stack is being ended.
    pub(super) gate: Arc<Gate>,
    /// What the supervisor gave to keep.
    pub(super) checkpoint: Checkpoint,
    /// What the starts that it asks for have in common.
    pub(super) environment: Environment,
    /// The rotated logs, once something was started in this turn.
    pub(super) rotated: Option<Rotated>,
    pub(super) units: BTreeMap<UnitId, Unit>,
    /// Starts that are asked for and not made yet.
    pub(super) batch: Batch,
    /// Whose word a token means.
    pub(super) notifies: HashMap<u64, UnitId>,
    /// Whose end a token means.
    pub(super) tokens: HashMap<u64, UnitId>,
    pub(super) next_token: u64,
    /// Different at each start, across keepers too.
    pub(super) stamp: u64,
    pub(super) looks: ScanSchedule,
    pub(super) orphans: Option<Tick>,
    pub(super) strays: Strays,
    /// Whom the kernel has ended for want of memory.
    kills: Kills,
    /// The search for checks that nobody waits for.
    pub(super) abandoned: Option<AbandonedChecks>,
    pub(super) unheard: Vec<FromKeeper>,
    /// What is said but once.
    said: HashSet<String>,
    pub(super) finish: Option<Finish>,
    /// What could not be ended.
    pub(super) left: Left,
    pub(super) journal: Journal,
    pub(super) home: Home,
    /// Outputs whose pipes somebody may still hold.
    pub(super) open_outputs: HashSet<u64>,
    /// The terminals of units, by the tokens of those who ask for them.
    pub(super) terminals: HashMap<u64, Terminal>,
    /// Whether trees were taken over that are not our children.
    pub(super) adopted: bool,
}

/// What a keeper is made of.
pub(super) struct Parts {
    pub(super) places: StackPaths,
    pub(super) home: Home,
    pub(super) stack: StackDir,
    pub(super) handoff: Handoff,
    pub(super) waker: Arc<Waker>,
    pub(super) signals: SignalPipe,
    pub(super) lines: Receiver<UnixStream>,
    pub(super) gate: Arc<Gate>,
}

impl Keeper {
    pub(super) fn new(parts: Parts) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add(&*parts.waker, WAKE)?;
        poller.add(&parts.signals, SIGNAL)?;
        Ok(Self {
            poller,
            logs: Logs::start(Arc::clone(&parts.waker), parts.stack.logs.clone())?,
            waker: parts.waker,
            signals: parts.signals,
            lines: parts.lines,
            gate: parts.gate,
            line: None,
            had_supervisor: false,
            checkpoint: Checkpoint::new(),
            environment: Environment::default(),
            rotated: None,
            units: BTreeMap::new(),
            batch: Batch::default(),
            notifies: HashMap::new(),
            tokens: HashMap::new(),
            next_token: FIRST,
            stamp: 0,
            looks: ScanSchedule::default(),
            orphans: None,
            strays: Strays::default(),
            kills: Kills::so_far(),
            abandoned: None,
            unheard: Vec::new(),
            said: HashSet::new(),
            finish: None,
            left: Left::default(),
            journal: Journal::new(parts.places.units()),
            home: parts.home,
            arrived: None,
            open_outputs: HashSet::new(),
            terminals: HashMap::new(),
            places: parts.places,
            stack: parts.stack,
            handoff: parts.handoff,
            adopted: false,
        })
    }

    /// Works until the stack is finished and the supervisor has hung up.
    pub(super) fn run(&mut self) -> io::Result<()> {
        let mut ready = Vec::new();
        while !self.is_done() {
            let now = platform::now();
            let timeout = self.deadline().map(|deadline| deadline.since(now));
            self.poller.wait(&mut ready, timeout)?;
            for event in &ready {
                self.happened(*event);
            }
            self.logs.wake();
            self.settle(platform::now());
            self.send();
        }
        Ok(())
    }

    fn happened(&mut self, event: Readiness) {
        match event.token {
            LINE if event.readable => {
                self.hear();
            }
            LINE => {}
            WAKE => self.woken(),
            SIGNAL => self.signalled(),
            HOME => self.look_home(),
            token if self.notifies.contains_key(&token) => self.notified(token),
            token if self.hand_over(token) || self.left_ended(token) => {}
            token => self.process_ended(token),
        }
    }

    /// When to wake up though nothing happens.
    fn deadline(&self) -> Option<Tick> {
        let units = self.units.values().filter_map(Unit::deadline).min();
        // A look that is due waits until the last one has been paid for.
        let units = units.map(|due| due.max(self.looks.not_before));
        let finish = self.finish.as_ref().and_then(Finish::deadline);
        let abandoned = self.abandoned.as_ref().map(AbandonedChecks::deadline);
        let left = self.left.deadline();
        units.into_iter().chain(self.orphans).chain(finish).chain(abandoned).chain(left).min()
    }

    fn settle(&mut self, now: Tick) {
        if self.orphans.is_some_and(|due| now >= due) {
            self.orphans = None;
            self.look_for_ends(now);
            self.reap_orphans();
            self.chase();
        }
        self.look_if_due(now);
        self.tell_ends(now);
        self.welcome();
        self.end_abandoned(now);
        self.look_at_left(now);
        self.settle_finish(now);
    }

    /// Lets a supervisor in once every end that is known can be told: it would take what has just
    /// died for what runs, and say so to whoever asks. And after the last word of the one before,
    /// who may have told others of it already.
    fn welcome(&mut self) {
        if self.arrived.is_some() {
            self.hear_out();
        }
        if !self.units.values().any(Unit::has_untold_end)
            && let Some(stream) = self.arrived.take()
        {
            self.connect(stream);
            // The one before may have been killed in the middle of anything.
            if std::mem::replace(&mut self.had_supervisor, true) {
                self.look_for_abandoned(platform::now());
            }
        }
    }

    /// Takes in some of what the supervisor says; whether there may be more.
    fn hear(&mut self) -> bool {
        let Some(line) = &mut self.line else { return false };
        let heard = line.hear();
        for message in heard.messages {
            match message {
                Ok(message) => self.asked(message),
                Err(error) => self.trouble(format!("the keeper did not understand: {error}")),
            }
        }
        self.start_wanted();
        if heard.ended {
            self.hang_up();
        }
        !heard.nothing
    }

    /// Takes in all that the supervisor has said so far.
    pub(super) fn hear_out(&mut self) {
        while self.hear() {}
    }

    pub(super) fn hang_up(&mut self) {
        if let Some(line) = self.line.take() {
            self.poller.remove(&line);
        }
    }

    /// Takes care of a unit that runs.
    pub(super) fn hold(&mut self, unit: Unit) {
        if let Some(process) = &unit.process {
            self.watch(&unit.id, process);
        }
        self.listen_to(&unit);
        self.units.insert(unit.id.clone(), unit);
    }

    /// Has the end of a process wake us; the token that it comes under.
    pub(super) fn watch(&mut self, unit: &UnitId, process: &Process) -> u64 {
        let token = self.next_token;
        self.next_token += 1;
        if let Some(descriptor) = process.ended() {
            // Out of memory: the looks will find it.
            let _unwatched = self.poller.add(descriptor, token);
        }
        self.tokens.insert(token, unit.clone());
        token
    }

    fn process_ended(&mut self, token: u64) {
        let Some(id) = self.tokens.remove(&token) else { return };
        let Some(unit) = self.units.get_mut(&id) else { return };
        let now = platform::now();
        if let Some(process) = unit.watched.remove(&token) {
            process.ended().inspect(|descriptor| self.poller.remove(descriptor));
            if unit.watched.is_empty() {
                unit.look = Some(now);
            }
            return;
        }
        if let Some(descriptor) = unit.process.as_ref().and_then(Process::ended) {
            self.poller.remove(descriptor);
        }
        self.main_ended(&id, now);
    }

    fn main_ended(&mut self, id: &UnitId, now: Tick) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let told = if unit.child { platform::peek(unit.main.pid).ok().flatten() } else { None };
        let exit = told.unwrap_or(Exit::UNKNOWN);
        let out_of_memory = self.kills.has_ended(unit, exit, now);
        unit.ended(exit, now);
        if let Some(end) = &mut unit.end {
            end.out_of_memory = out_of_memory;
        }
        self.drain(id, now);
    }

    /// Has what a unit has written so far moved to its logs, before more is told of its end.
    pub(super) fn drain(&mut self, id: &UnitId, now: Tick) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let Some(end) = &mut unit.end else { return };
        let keys = unit.outputs.iter().map(|output| output.key);
        let open: Vec<u64> = keys.filter(|key| self.open_outputs.contains(key)).collect();
        open.iter().for_each(|&key| self.logs.drain(key));
        end.drain(open, now);
        self.logs.wake();
    }

    /// Looks for ends that no descriptor tells of.
    fn look_for_ends(&mut self, now: Tick) {
        let silent = |unit: &&Unit| {
            let silent = unit.process.as_ref().is_some_and(|process| process.ended().is_none());
            silent && unit.end.is_none() && matches!(platform::peek(unit.main.pid), Ok(Some(_)))
        };
        let ended: Vec<UnitId> =
            self.units.values().filter(silent).map(|unit| unit.id.clone()).collect();
        for id in ended {
            self.main_ended(&id, now);
        }
    }

    fn woken(&mut self) {
        self.waker.clear();
        if let Some(stream) = self.lines.try_iter().last() {
            self.arrived = Some(stream);
        }
        for tell in self.logs.take() {
            match tell {
                Tell::Drained(key) => self.drained(key),
                Tell::Closed(key) => {
                    self.open_outputs.remove(&key);
                    self.close_terminal(key);
                    self.drained(key);
                }
                Tell::Trouble(text) => self.trouble(text),
            }
        }
    }

    fn drained(&mut self, key: u64) {
        for end in self.units.values_mut().filter_map(|unit| unit.end.as_mut()) {
            end.drained(key);
        }
    }

    fn connect(&mut self, stream: UnixStream) {
        self.hang_up();
        self.note_name();
        let Ok(line) = Connection::new(stream) else { return };
        if self.poller.add(&line, LINE).is_err() {
            return;
        }
        self.line = Some(line);
        self.environment = Environment::default();
        self.tell(FromKeeper::Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            units: self.units.values().map(Unit::report).collect(),
            checkpoint: self.checkpoint.clone(),
            left: self.left.texts(),
        });
        if !self.strays.named.is_empty() {
            self.tell(FromKeeper::Strays { processes: self.strays.named.clone() });
        }
        for message in std::mem::take(&mut self.unheard) {
            self.tell(message);
        }
    }

    fn signalled(&mut self) {
        for signal in self.signals.take() {
            match signal {
                libc::SIGCHLD => {
                    let due = platform::now() + ORPHANS;
                    self.orphans.get_or_insert(due);
                }
                libc::SIGTERM | libc::SIGINT => self.say(FromKeeper::Shutdown),
                _ => {}
            }
        }
    }

    pub(super) fn trouble(&mut self, text: String) {
        self.say(FromKeeper::Trouble { text });
    }

    /// The same, unless this keeper has said it before.
    pub(super) fn trouble_once(&mut self, text: String) {
        if self.said.insert(text.clone()) {
            self.trouble(text);
        }
    }

    /// Tells it now, or the next supervisor.
    fn say(&mut self, message: FromKeeper) {
        if self.line.is_some() {
            self.tell(message);
        } else if self.unheard.len() < UNHEARD && !self.unheard.contains(&message) {
            self.unheard.push(message);
        }
    }

    /// Tells it now; what a later supervisor needs of it is in `Hello`.
    #[expect(clippy::needless_pass_by_value, reason = "messages are made to be told")]
    pub(super) fn tell(&mut self, message: FromKeeper) {
        if let Some(line) = &mut self.line {
            line.tell(&message);
        }
    }

    pub(super) fn send(&mut self) {
        self.rotated = None;
        self.record();
        if let Some(line) = &mut self.line {
            let unsent = line.flush();
            let _closed = self.poller.also_writable(&*line, LINE, unsent);
        }
    }
}
