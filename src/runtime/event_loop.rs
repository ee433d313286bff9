//! The loop: takes in what the keeper, the clients and the loop's own tasks say, one at a time.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use tokio::{
    net::UnixListener,
    sync::mpsc,
    task::{AbortHandle, LocalSet},
};

use super::{
    Internal, intent::Intent, keeper_link::KeeperLink, launch::Launcher, ledger::Ledger,
    owner::Owner, ports::PortTable, prober::Prober, requests::Clients, secrets, secrets::Secrets,
    view::Statistics, watch::Watches,
};
use crate::{
    control::{protocol::Left, server::serve},
    event::{Cause, Event, Tick},
    keeper::{
        handle,
        protocol::{FromKeeper, ToKeeper, UnitId, UnitReport},
    },
    lifecycle::{self, Hook},
    model::{Exit, Service, Stack, Task},
    platform::{self, Places},
    supervisor::{Command, Input, OpId, Supervisor},
};

/// How long a supervisor that was never asked for anything stays.
const UNUSED: Duration = Duration::from_secs(10);
/// How many messages are taken in before the note is brought up to date.
const BATCH: usize = 256;

/// The supervisor's world: everything that the core's effects are carried out with.
pub(super) struct World {
    pub(super) core: Supervisor,
    pub(super) places: Places,
    pub(super) own_program: PathBuf,
    pub(super) keeper_pid: u32,
    pub(super) since: jiff::Timestamp,
    pub(super) link: KeeperLink,
    pub(super) ports: PortTable,
    pub(super) caller: BTreeMap<String, String>,
    pub(super) ledger: Ledger,
    pub(super) clients: Clients,
    pub(super) prober: Prober,
    pub(super) statistics: Statistics,
    pub(super) watches: Watches,
    pub(super) sampling: Option<AbortHandle>,
    pub(super) internal: mpsc::UnboundedSender<Internal>,
    /// The process trees that the keeper has.
    pub(super) units: HashMap<UnitId, Unit>,
    /// What the present generations were started from, for those the file has no more.
    pub(super) services: HashMap<String, Service>,
    /// The same of tasks.
    pub(super) tasks: HashMap<String, Task>,
    /// The fingerprints of tasks' inputs when their runs began.
    pub(super) inputs: HashMap<String, String>,
    /// The secret values of the stack in force.
    pub(super) secrets: Secrets,
    /// Where in its log the latest generation of each service and task began.
    pub(super) log_offsets: HashMap<String, u64>,
    pub(super) last_op: u64,
    /// Whether anything was ever asked for.
    pub(super) used: bool,
    /// The keeper was asked to finish.
    pub(super) finishing: bool,
    /// The keeper has finished: what it says is left.
    pub(super) finished: Option<Left>,
    last_note: String,
}

/// What the keeper keeps for the next supervisor: in memory alone.
#[derive(serde::Serialize, serde::Deserialize)]
struct Note {
    core: String,
    secrets: Secrets,
}

/// A process tree that the keeper has.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) started: Tick,
    pub(super) log_offset: u64,
    pub(super) owner: Owner,
    /// How the main process of a hook ended.
    pub(super) exit: Option<Exit>,
}

/// The role itself: `stackrun supervisor`, with the descriptors that the keeper hands over.
pub fn run(dir: &Path) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.and_then(|runtime| {
        let local = LocalSet::new();
        let result = local.block_on(&runtime, supervise(dir));
        // A check that hangs in the system must not keep the supervisor.
        runtime.shutdown_timeout(Duration::from_millis(200));
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the supervisor has failed");
            ExitCode::FAILURE
        }
    }
}

async fn supervise(dir: &Path) -> io::Result<()> {
    let keeper = platform::inherited(handle::CONNECTION)?;
    let listener = platform::inherited(handle::CONTROL)?;
    let places = Places::of(dir).map_err(io::Error::other)?;
    let (news_sender, mut news) = mpsc::unbounded_channel();
    let (internal_sender, mut internal) = mpsc::unbounded_channel();
    let (incoming_sender, mut incoming) = mpsc::channel(64);
    let link = KeeperLink::open(keeper, news_sender)?;
    let Some(FromKeeper::Hello { pid, units, note, .. }) = news.recv().await else {
        return Err(io::Error::other("the keeper did not say hello"));
    };
    let mut world = World::new(places, link, pid, internal_sender)?;
    world.take_over(units, &note);

    let listener = std::os::unix::net::UnixListener::from(listener);
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    tokio::task::spawn_local(serve(listener, incoming_sender));

    while world.finished.is_none() {
        let timer = world.timer();
        tokio::select! {
            biased;
            message = news.recv() => match message {
                Some(message) => world.keeper_says(message),
                None => return Err(io::Error::other("the keeper is gone")),
            },
            Some(message) = internal.recv() => world.told(message),
            Some(message) = incoming.recv() => world.client_says(message),
            () = tokio::time::sleep(timer) => world.time_passed(),
        }
        for _ in 0..BATCH {
            if let Ok(message) = news.try_recv() {
                world.keeper_says(message);
            } else if let Ok(message) = internal.try_recv() {
                world.told(message);
            } else {
                break;
            }
        }
        world.after_turn();
    }
    world.say_goodbye().await;
    Ok(())
}

impl World {
    fn new(
        places: Places,
        link: KeeperLink,
        keeper_pid: u32,
        internal: mpsc::UnboundedSender<Internal>,
    ) -> io::Result<Self> {
        let stack = Stack { dir: places.folder.clone(), ..Stack::default() };
        Ok(Self {
            core: Supervisor::new(stack, u64::from(std::process::id())),
            own_program: platform::own_program()?,
            keeper_pid,
            since: platform::wall_clock(),
            link,
            ports: PortTable::load(&places.state.join("ports")),
            caller: BTreeMap::new(),
            ledger: Ledger::open(&places.ledger()),
            places,
            clients: Clients::default(),
            prober: Prober::default(),
            statistics: Statistics::default(),
            watches: Watches::default(),
            sampling: None,
            internal,
            units: HashMap::new(),
            services: HashMap::new(),
            tasks: HashMap::new(),
            inputs: HashMap::new(),
            secrets: Secrets::new(),
            log_offsets: HashMap::new(),
            last_op: 0,
            used: false,
            finishing: false,
            finished: None,
            last_note: String::new(),
        })
    }

    /// Takes up where the supervisor before left off, if there was one.
    fn take_over(&mut self, units: Vec<UnitReport>, note: &str) {
        let now = platform::now();
        let took_over = !note.is_empty();
        if took_over && let Err(error) = self.restore(note) {
            tracing::error!(%error, "what the last supervisor left behind is no use");
        }
        let event = Event::SupervisorStarted {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            took_over,
        };
        self.publish(None, None, event, Cause::Supervisor);
        for report in &units {
            self.remember(&report.unit, report.pid, report.log_offset, report.started);
        }
        let effects = self.core.resume(now);
        self.carry_out_missing(effects, &units);
        for report in units {
            self.catch_up(report);
        }
    }

    /// Takes up the stack last applied, and everything else from the note.
    fn restore(&mut self, note: &str) -> Result<(), Box<dyn std::error::Error>> {
        let note: Note = serde_json::from_str(note)?;
        let intent = Intent::load(&self.places.intent());
        let mut intent = intent.ok_or("the stack last applied cannot be read")?;
        secrets::put_back(&mut intent.stack, &note.secrets);
        self.ports.adopt(&intent.stack);
        self.caller = intent.env;
        self.secrets = note.secrets;
        self.used = true;
        self.core = Supervisor::restore(intent.stack, &note.core)?;
        self.watch();
        self.watch_memory();
        Ok(())
    }

    /// What became of a process tree while nobody was there to be told.
    fn catch_up(&mut self, report: UnitReport) {
        let UnitReport { unit, pid, log_offset, started, exit, gone } = report;
        self.keeper_says(FromKeeper::Spawned { unit: unit.clone(), pid, log_offset, at: started });
        if let Some(exit) = exit {
            let at = platform::now();
            self.keeper_says(FromKeeper::Exited {
                unit: unit.clone(),
                exit,
                left: usize::from(!gone),
                at,
            });
        }
        if gone {
            self.keeper_says(FromKeeper::Gone { unit, swept: 0 });
        }
    }

    /// How long the loop may sleep.
    fn timer(&self) -> Duration {
        let now = platform::now();
        let unused = (!self.used).then_some(UNUSED);
        let deadline = self.core.deadline().map(|deadline| deadline.since(now));
        let next = [unused, deadline].into_iter().flatten().min();
        // The clock of tokio stands still while the machine sleeps: look now and then.
        next.unwrap_or(Duration::from_secs(3600))
    }

    fn time_passed(&mut self) {
        if !self.used {
            self.finish();
            return;
        }
        self.feed(Input::Timer);
    }

    /// Tells the core, and does what it says.
    pub(super) fn feed(&mut self, input: Input) {
        let effects = self.core.handle(input, platform::now());
        self.carry_out(effects);
    }

    fn told(&mut self, message: Internal) {
        match message {
            Internal::Unit { name, generation, input } => {
                self.feed(Input::Unit { name, generation, input });
            }
            Internal::Sample => self.sample_memory(),
            Internal::Changed { paths } => self.watches.changed(&paths, &self.internal),
            Internal::Quiet { watch, path } => self.watched(watch, &path),
            Internal::Inputs { name, generation, fingerprint, unchanged } => {
                if let Some(fingerprint) = fingerprint {
                    self.inputs.insert(name.clone(), fingerprint);
                }
                let input = lifecycle::Input::Unchanged(unchanged);
                self.feed(Input::Unit { name, generation, input });
            }
        }
    }

    fn keeper_says(&mut self, message: FromKeeper) {
        match message {
            FromKeeper::Hello { .. } => {}
            FromKeeper::Spawned { unit, pid, log_offset, at } => {
                self.remember(&unit, pid, log_offset, at);
                if is_main(&unit) {
                    self.unit_input(unit, lifecycle::Input::Spawned { pid });
                }
            }
            FromKeeper::SpawnFailed { unit, error } => match hook_of(&unit) {
                Some((name, hook)) => {
                    self.hook_ended(name, unit.generation, hook, Err(error));
                }
                None => self.unit_input(unit, lifecycle::Input::SpawnFailed(error)),
            },
            FromKeeper::Exited { unit, exit, left, at: _ } => {
                if is_main(&unit) {
                    self.unit_input(unit, lifecycle::Input::Exited { exit, left });
                } else {
                    if let Some(known) = self.units.get_mut(&unit) {
                        known.exit = Some(exit);
                    }
                    // A hook is over with its main process; what it left behind goes too.
                    if left > 0 {
                        self.link.send(ToKeeper::Kill { unit });
                    }
                }
            }
            FromKeeper::Gone { unit, swept } => self.unit_gone(unit, swept),
            FromKeeper::Stuck { unit, processes } => {
                if is_main(&unit) {
                    self.unit_input(unit, lifecycle::Input::Stuck(processes));
                }
            }
            FromKeeper::Trouble { text } => {
                self.publish(None, None, Event::Notice { text }, Cause::Supervisor);
            }
            FromKeeper::Shutdown => self.shut_down(),
            FromKeeper::Empty { left, proved } => {
                let ports = if left.is_empty() { Vec::new() } else { self.busy_ports() };
                self.finished = Some(Left { processes: left, ports, proved });
            }
        }
    }

    fn unit_gone(&mut self, unit: UnitId, swept: usize) {
        let known = self.units.remove(&unit);
        match hook_of(&unit) {
            Some((name, hook)) => {
                let exit = known.and_then(|known| known.exit).unwrap_or(Exit::UNKNOWN);
                self.hook_ended(name, unit.generation, hook, Ok(exit));
            }
            None => self.unit_input(unit.clone(), lifecycle::Input::TreeGone { swept }),
        }
        self.link.send(ToKeeper::Forget { unit });
    }

    fn hook_ended(
        &mut self,
        name: String,
        generation: u64,
        hook: Hook,
        exit: Result<Exit, String>,
    ) {
        let input = lifecycle::Input::HookEnded { hook, exit };
        self.feed(Input::Unit { name, generation, input });
    }

    fn unit_input(&mut self, unit: UnitId, input: lifecycle::Input) {
        let UnitId { name, generation } = unit;
        self.feed(Input::Unit { name, generation, input });
    }

    fn remember(&mut self, unit: &UnitId, pid: u32, log_offset: u64, started: Tick) {
        let owner = Owner::new(pid);
        let known = Unit { started, log_offset, owner, exit: None };
        self.log_offsets.insert(unit.name.clone(), log_offset);
        self.units.insert(unit.clone(), known);
    }

    /// Stops everything, for nobody in particular.
    pub(super) fn shut_down(&mut self) {
        let op = self.next_op();
        let command = Command::Down { names: Vec::new() };
        let cause = Cause::Supervisor;
        self.clients.shut_down_op(op);
        self.feed(Input::Command { op, command, cause });
    }

    pub(super) fn next_op(&mut self) -> OpId {
        self.last_op += 1;
        OpId(self.last_op)
    }

    /// Asks the keeper for the proof that nothing is left; the answer ends the loop.
    pub(super) fn finish(&mut self) {
        if !self.finishing {
            self.finishing = true;
            self.prober.stop_all();
            self.link.send(ToKeeper::Finish);
        }
    }

    /// Brings the note up to date, and ends a supervisor that has nothing left to do.
    fn after_turn(&mut self) {
        let core = self.core.note();
        if core != self.last_note {
            let note = Note { core: core.clone(), secrets: self.secrets.clone() };
            // Two maps of strings can always be written as JSON.
            let note = serde_json::to_string(&note).unwrap_or_default();
            self.link.send(ToKeeper::Note { note });
            self.last_note = core;
        }
        if self.used && !self.clients.has_ops() && self.core.is_idle() {
            self.finish();
        }
    }

    /// Declared ports that are still listened on.
    fn busy_ports(&self) -> Vec<u16> {
        let services = self.core.stack().services.iter();
        let ports: Vec<u16> =
            services.flat_map(|service| self.ports.all(service).map(|(_, port)| port)).collect();
        let listeners = platform::listeners(&ports).unwrap_or_default();
        listeners.iter().map(|listener| listener.port).collect()
    }

    /// Writes to the ledger and tells whoever listens.
    pub(super) fn publish(
        &mut self,
        name: Option<&str>,
        generation: Option<u64>,
        event: Event,
        cause: Cause,
    ) {
        let record = self.ledger.append(name, generation, event, cause);
        self.clients.tell(&record);
    }

    /// What fills in commands now.
    pub(super) fn launcher<'a>(&'a self, stamp: &'a str) -> Launcher<'a> {
        Launcher {
            places: &self.places,
            ports: &self.ports,
            caller: &self.caller,
            own_program: &self.own_program,
            stamp,
        }
    }

    /// The definition of a service: the stack's, or the one it was started from.
    pub(super) fn service(&self, name: &str) -> Option<&Service> {
        self.core.stack().service(name).or_else(|| self.services.get(name))
    }

    /// The definition of a task: the stack's, or the one it was started from.
    pub(super) fn task(&self, name: &str) -> Option<&Task> {
        self.core.stack().task(name).or_else(|| self.tasks.get(name))
    }
}

/// The unit of a service's main process, or of a task's run.
pub(super) fn main_unit(name: &str, generation: u64) -> UnitId {
    UnitId { name: name.to_owned(), generation }
}

/// The unit of a hook.
pub(super) fn hook_unit(name: &str, hook: Hook, generation: u64) -> UnitId {
    UnitId { name: format!("{name}:{}", hook.key()), generation }
}

fn is_main(unit: &UnitId) -> bool {
    !unit.name.contains(':')
}

/// The service and the hook behind a unit, if it is one of a hook.
fn hook_of(unit: &UnitId) -> Option<(String, Hook)> {
    let (name, key) = unit.name.split_once(':')?;
    let all = [Hook::BeforeStart, Hook::AfterReady, Hook::Stop, Hook::AfterStop, Hook::OnFailure];
    let hook = all.into_iter().find(|hook| hook.key() == key)?;
    Some((name.to_owned(), hook))
}
