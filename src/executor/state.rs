//! The supervisor's world: everything that the core's effects are carried out with.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use tokio::{sync::mpsc, task::AbortHandle};

use super::{
    Internal,
    checkpoint::Checkpointer,
    clients::Clients,
    effects::errors_of,
    keeper_link::KeeperLink,
    launch::{Launcher, Programs},
    ledger::Ledger,
    listener_owner::Owner,
    ports::PortTable,
    prober::Prober,
    pulse::Pulse,
    schedule::Schedules,
    tasks::Runs,
    terminals::Terminals,
    view::{Epoch, Statistics},
    watch::Watches,
};
use crate::{
    control::protocol::Left,
    core::stack::{OpId, ServiceView, Supervisor},
    event::{Cause, Event, Place, Tick},
    keeper::protocol::UnitId,
    model::{Exit, Service, Stack, Task},
    platform::{self, StackDir, StackPaths},
    secrets::{self, Secrets},
};

/// The supervisor's world: everything that the core's effects are carried out with.
pub(super) struct Executor {
    pub(super) core: Supervisor,
    pub(super) places: StackPaths,
    pub(super) stack_dir: StackDir,
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
    pub(super) epoch: Epoch,
    pub(super) watches: Watches,
    pub(super) sampling: Option<AbortHandle>,
    pub(super) schedules: Schedules,
    pub(super) internal: mpsc::UnboundedSender<Internal>,
    /// The process trees that the keeper has.
    pub(super) units: HashMap<UnitId, Unit>,
    /// Processes that have left their service, and of which nothing tells which that was.
    pub(super) strays: Vec<String>,
    /// The terminals of services.
    pub(super) terminals: Terminals,
    /// The fingerprints of tasks' inputs when their runs began.
    pub(super) inputs: HashMap<String, String>,
    /// The runs of tasks.
    pub(super) runs: Runs,
    /// What the keeper keeps for the next supervisor.
    pub(super) checkpointer: Checkpointer,
    /// The latest start that wrote to each log, by the log's name, and where in it that began.
    pub(super) log_places: HashMap<String, (u64, Place)>,
    /// Where programs were found in this turn.
    pub(super) programs: Programs,
    pub(super) last_op: u64,
    /// Whether anything was ever asked for.
    pub(super) used: bool,
    /// The keeper was asked to finish.
    pub(super) finishing: bool,
    /// The keeper has finished: nothing is left.
    pub(super) finished: Option<Left>,
    /// The stack's folder was moved: the next supervisor goes on.
    pub(super) moved: bool,
    /// What the keeper could not end when it was asked to finish, each in a line.
    pub(super) left: Vec<String>,
    /// Whether the keeper answers.
    pub(super) pulse: Pulse,
    /// A deadline that passed while this process could not run counts from then on.
    pub(super) put_off: Option<Tick>,
    /// What the supervisor before left could not be understood: its processes are nobody's.
    pub(super) lost: bool,
    /// How often the kernel had run out of memory when that was last looked at.
    pub(super) oom_kills: u64,
}

/// A process tree that the keeper has.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) log: Place,
    /// Where its stderr begins, if that is apart and it was started by this supervisor.
    pub(super) errors: Option<Place>,
    pub(super) owner: Owner,
    /// Whether it has said that it is ready; its probe looks at the same place.
    pub(super) notified: Arc<AtomicBool>,
    /// How the main process of a hook ended.
    pub(super) exit: Option<Exit>,
}

impl Executor {
    /// A world in which nothing has happened yet.
    pub(super) fn new(
        places: StackPaths,
        link: KeeperLink,
        keeper_pid: u32,
        internal: mpsc::UnboundedSender<Internal>,
    ) -> io::Result<Self> {
        let stack_dir = StackDir::of(&places)?;
        let stack = Stack { dir: places.folder.clone(), ..Stack::default() };
        Ok(Self {
            core: Supervisor::new(stack, u64::from(std::process::id())),
            own_program: platform::own_program()?,
            keeper_pid,
            since: platform::wall_clock(),
            link,
            ports: PortTable::load(&places, stack_dir.state.clone()),
            caller: BTreeMap::new(),
            ledger: Ledger::open(&stack_dir.state),
            places,
            stack_dir,
            clients: Clients::default(),
            prober: Prober::begin(internal.clone())?,
            statistics: Statistics::default(),
            epoch: Epoch::default(),
            watches: Watches::default(),
            sampling: None,
            schedules: Schedules::default(),
            internal,
            units: HashMap::new(),
            strays: Vec::new(),
            terminals: Terminals::default(),
            inputs: HashMap::new(),
            runs: Runs::default(),
            checkpointer: Checkpointer::default(),
            put_off: None,
            lost: false,
            oom_kills: platform::oom_kills(),
            log_places: HashMap::new(),
            programs: Programs::default(),
            last_op: 0,
            used: false,
            finishing: false,
            finished: None,
            moved: false,
            left: Vec::new(),
            pulse: Pulse::default(),
        })
    }

    /// Takes note of a process tree that the keeper has.
    pub(super) fn remember(&mut self, unit: &UnitId, pid: u32, log: Place) {
        let owner = Owner::new(pid);
        // A probe may be looking already.
        let known = self.units.get(unit).map(|known| Arc::clone(&known.notified));
        let notified = known.unwrap_or_default();
        let errors = unit.is_main().then(|| self.log_of(&errors_of(&unit.owner), unit.generation));
        let known = Unit { log, errors: errors.flatten(), owner, notified, exit: None };
        self.log_places.insert(unit.log_name(), (unit.generation, log));
        self.units.insert(unit.clone(), known);
        self.ask_for_terminal(unit);
    }

    pub(super) fn next_op(&mut self) -> OpId {
        self.last_op += 1;
        OpId(self.last_op)
    }

    /// A service as it is now.
    pub(super) fn view_of(&self, name: &str) -> Option<ServiceView> {
        self.core.services(platform::now()).into_iter().find(|view| view.name == name)
    }

    /// The services that have a process.
    pub(super) fn live_services(&self) -> Vec<String> {
        let views = self.core.services(platform::now()).into_iter();
        views.filter(|view| view.pid.is_some()).map(|view| view.name).collect()
    }

    /// Declared ports that are still listened on.
    pub(super) fn busy_ports(&self) -> Vec<u16> {
        let services = self.core.stack().services.iter();
        let declared = services.flat_map(|service| self.ports.all(service));
        let declared: Vec<_> = declared.map(|(port, number)| (number, port.address())).collect();
        let ports: Vec<u16> = declared.iter().map(|(number, _)| *number).collect();
        let listeners = platform::listeners(&ports).unwrap_or_default();
        let own = listeners.iter().filter(|listener| {
            let mut declared = declared.iter().filter(|(number, _)| *number == listener.port);
            declared.any(|(_, host)| listener.is_in_the_way_of(*host))
        });
        own.map(|listener| listener.port).collect()
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

    /// From now on the secrets of the stack, and of what still runs by an earlier one, are masked.
    pub(super) fn know_secrets(&self) {
        let now = platform::now();
        let mut secrets = Secrets::of(self.core.stack());
        let services = self.core.services(now).into_iter();
        let tasks = self.core.tasks().into_iter();
        services
            .filter_map(|view| self.core.service(&view.name))
            .for_each(|one| secrets.add_service(one));
        tasks.filter_map(|view| self.core.task(&view.name)).for_each(|one| secrets.add_task(one));
        secrets::know(secrets);
    }

    /// Whether there are secrets of the stack, or of what a service still runs by, whose values
    /// are lost.
    pub(super) fn has_lost_secrets(&self, name: &str) -> bool {
        self.checkpointer.any_lost
            && secrets::unknown_in(&(self.core.stack(), self.service(name))).is_some()
    }

    /// What fills in commands now.
    pub(super) fn launcher(&self) -> Launcher<'_> {
        Launcher {
            places: &self.places,
            logs: &self.stack_dir.logs,
            ports: &self.ports,
            caller: &self.caller,
            own_program: &self.own_program,
            at: platform::wall_clock(),
            stamp: None,
            programs: &self.programs,
            any_lost: self.checkpointer.any_lost,
        }
    }

    /// The definition of a service: the one it runs by, else the stack's.
    pub(super) fn service(&self, name: &str) -> Option<&Service> {
        self.core.service(name).or_else(|| self.core.stack().service(name))
    }

    /// The definition of a task: the one it runs by, else the stack's.
    pub(super) fn task(&self, name: &str) -> Option<&Task> {
        self.core.task(name).or_else(|| self.core.stack().task(name))
    }
}
