//! One service or task as the supervisor sees it: its definition, its life, and what is meant
//! to become of it.

use std::{collections::VecDeque, sync::Arc};

use serde::{Deserialize, Serialize};

use super::OpId;
use crate::{
    core::lifecycle::{Phase, ServiceMachine, TaskMachine},
    event::{Cause, Tick},
    model::{Service, Task, is_default},
};

/// A service or task.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub name: String,
    /// Whether the stack file no longer has it: it is kept until it is down.
    pub gone: bool,
    /// Whether it is reachable from what was asked for.
    pub wanted: bool,
    /// Whether it is so with all its needs (not by `--no-deps` alone).
    pub whole: bool,
    pub schedule: Schedule,
    pub unit: Unit,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum Unit {
    Service(Box<ServiceUnit>),
    Task(Box<TaskUnit>),
}

/// A service: what its process runs by, what it is to run by next, and its life.
#[derive(Debug, Clone)]
pub(super) struct ServiceUnit {
    /// The definition in force: that of the present generation.
    pub now: Arc<Service>,
    /// The definition of the stack last applied: that of the next generation.
    pub next: Arc<Service>,
    pub machine: ServiceMachine,
}

/// A task likewise.
#[derive(Debug, Clone)]
pub(super) struct TaskUnit {
    pub now: Arc<Task>,
    pub next: Arc<Task>,
    pub run: TaskMachine,
    pub orders: Orders,
}

/// What is meant to become of a service or task, beyond what its life knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Schedule {
    /// Why it will be started, or was.
    pub because: Cause,
    /// Why it will be stopped, if it is not wanted.
    pub stop_because: Cause,
    /// Since when (logically) it is about to start.
    #[serde(default, skip_serializing_if = "is_default")]
    pub due: Option<u64>,
    /// The `up` that its start belongs to: the tasks that it needs run once for each.
    #[serde(default, skip_serializing_if = "is_default")]
    pub revision: u64,
    /// It is to be stopped, to be started again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub restart: Option<Cause>,
    /// The task whose exclusive window holds it down.
    #[serde(default, skip_serializing_if = "is_default")]
    pub held: Option<String>,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub waiting: Vec<String>,
    /// The root of those that will not come without help.
    #[serde(default, skip_serializing_if = "is_default")]
    pub blocked: Option<String>,
    /// When (logically) it last became ready, or its run ended.
    #[serde(default, skip_serializing_if = "is_default")]
    pub settled: u64,
    /// When (logically) it last failed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failed: u64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            because: Cause::Supervisor,
            stop_because: Cause::Supervisor,
            due: None,
            revision: 0,
            restart: None,
            held: None,
            waiting: Vec::new(),
            blocked: None,
            settled: 0,
            failed: 0,
        }
    }
}

/// What a task is to do.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Orders {
    /// Runs that were asked for, in order.
    pub queue: VecDeque<Order>,
    /// The one on its way.
    pub current: Option<Order>,
    /// The `run` whose run ended last.
    pub finished: Option<OpId>,
    /// Who asked for that one.
    #[serde(default)]
    pub ended: Option<Cause>,
    /// Whether an `up` named it.
    pub asked: bool,
    /// The run on its way is to be ended.
    pub cancel: Option<Cause>,
    /// The `up` in which the run on its way began.
    pub revision: u64,
    /// The last `up` for which it was done.
    pub done: u64,
    /// Whether its exclusive window is open.
    pub window: bool,
}

/// One run of a task that was asked for by `run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Order {
    pub op: OpId,
    pub args: Vec<String>,
    pub force: bool,
    pub cause: Cause,
}

/// In the place of the request of a run that was found.
pub(super) const FOUND: OpId = OpId(0);

impl Node {
    pub(super) fn service(service: Arc<Service>, seed: u64) -> Self {
        // Services that fail together must not share their jitter.
        let seed = service.name.bytes().fold(seed, |seed, byte| {
            seed.wrapping_mul(0x0100_0000_01b3).wrapping_add(u64::from(byte))
        });
        let name = service.name.clone();
        let unit = ServiceUnit {
            now: Arc::clone(&service),
            next: service,
            machine: ServiceMachine::new(seed),
        };
        Self::new(name, Unit::Service(Box::new(unit)))
    }

    pub(super) fn task(task: Arc<Task>) -> Self {
        let name = task.name.clone();
        let unit = TaskUnit {
            now: Arc::clone(&task),
            next: task,
            run: TaskMachine::default(),
            orders: Orders::default(),
        };
        Self::new(name, Unit::Task(Box::new(unit)))
    }

    fn new(name: String, unit: Unit) -> Self {
        let schedule = Schedule::default();
        Self { name, gone: false, wanted: false, whole: false, schedule, unit }
    }

    pub(super) fn as_service(&self) -> Option<&ServiceUnit> {
        match &self.unit {
            Unit::Service(service) => Some(service),
            Unit::Task(_) => None,
        }
    }

    pub(super) fn as_service_mut(&mut self) -> Option<&mut ServiceUnit> {
        match &mut self.unit {
            Unit::Service(service) => Some(service),
            Unit::Task(_) => None,
        }
    }

    pub(super) fn as_task(&self) -> Option<&TaskUnit> {
        match &self.unit {
            Unit::Service(_) => None,
            Unit::Task(task) => Some(task),
        }
    }

    pub(super) fn as_task_mut(&mut self) -> Option<&mut TaskUnit> {
        match &mut self.unit {
            Unit::Service(_) => None,
            Unit::Task(task) => Some(task),
        }
    }

    pub(super) fn generation(&self) -> u64 {
        match &self.unit {
            Unit::Service(service) => service.machine.generation,
            Unit::Task(task) => task.run.generation,
        }
    }

    /// Whether anything of it may run.
    pub(super) fn is_live(&self) -> bool {
        match &self.unit {
            Unit::Service(service) => service.machine.is_live(),
            Unit::Task(task) => task.run.is_live(),
        }
    }

    /// The processes that could not be ended in time.
    pub(super) fn stuck(&self) -> Option<&[String]> {
        match &self.unit {
            Unit::Service(service) => service.machine.stuck(),
            Unit::Task(task) => task.run.stuck(),
        }
    }

    pub(super) fn deadline(&self) -> Option<Tick> {
        match &self.unit {
            Unit::Service(service) => service.machine.deadline(),
            Unit::Task(task) => task.run.deadline(),
        }
    }

    /// Whether it runs, or is about to run again by itself, and is to go down.
    pub(super) fn is_going_down(&self) -> bool {
        match &self.unit {
            Unit::Service(service) => {
                let runs = service.machine.is_live();
                let held = self.schedule.held.is_some();
                match &service.machine.phase {
                    Phase::Idle => false,
                    Phase::Exited { .. } | Phase::Failed { .. } => !self.wanted,
                    Phase::Backoff { .. } => !self.wanted || held,
                    Phase::Starting(_)
                    | Phase::Ready
                    | Phase::Unhealthy { .. }
                    | Phase::Stopping(_) => {
                        runs && (!self.wanted || held || self.schedule.restart.is_some())
                    }
                }
            }
            Unit::Task(task) => {
                let unasked = task.orders.current.is_none() && !self.wanted;
                task.run.is_live() && (task.orders.cancel.is_some() || unasked)
            }
        }
    }

    /// Forgets that it waits.
    pub(super) fn rest(&mut self) {
        self.schedule.due = None;
        self.schedule.waiting.clear();
        self.schedule.blocked = None;
    }
}

impl Orders {
    /// Has a request take the place of one that was made before by the same command; whether
    /// there is one.
    pub(super) fn rejoin(&mut self, op: OpId, cause: &Cause) -> bool {
        // Whose run was found nobody knows but who asks for it.
        let mut orders = self.current.iter_mut().chain(&mut self.queue);
        if let Some(order) = orders.find(|order| order.cause == *cause || order.op == FOUND) {
            *order = Order { op, cause: cause.clone(), ..order.clone() };
            return true;
        }
        let ended = self.ended.as_ref() == Some(cause) || self.finished == Some(FOUND);
        if ended {
            self.finished = Some(op);
            self.ended = Some(cause.clone());
        }
        ended
    }
}

impl TaskUnit {
    /// Whether somebody asked for a run, apart from those who need it.
    pub(super) fn is_asked(&self) -> bool {
        self.orders.asked || !self.orders.queue.is_empty()
    }
}
