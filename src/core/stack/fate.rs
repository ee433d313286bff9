//! What has become of what a request is about, as far as that is known.

use super::{
    ItemOutcome, Supervisor, Until,
    node::{Node, ServiceUnit, TaskUnit, Unit},
    operation::{Kind, Operation},
};
use crate::{
    core::lifecycle::{Phase, RunPhase, TaskMachine},
    model::Exit,
    reason::Failure,
    status::{Asked, Verdict},
};

impl Supervisor {
    /// What has become of a target of a request; of what is waited for, [`Supervisor::fate_of_wait`].
    pub(super) fn fate(&self, op: &Operation, node: &Node) -> Option<ItemOutcome> {
        match (&op.kind, &node.unit) {
            (Kind::Down, _) => fate_of_down(op, node),
            (Kind::Up | Kind::Restart | Kind::Run { .. }, _) if node.gone => fate_of_down(op, node),
            (Kind::Up | Kind::Restart | Kind::Run { .. }, Unit::Service(unit)) => {
                fate_of_start(op, node, unit)
            }
            (Kind::Up | Kind::Restart | Kind::Run { .. }, Unit::Task(unit)) => {
                fate_of_run(op, node, unit)
            }
            (Kind::Wait { .. }, _) => None,
        }
    }

    /// What has become of something that is waited for.
    pub(super) fn fate_of_wait(
        &self,
        node: &Node,
        until: Until,
        asked: Asked,
    ) -> Option<ItemOutcome> {
        match (until, &node.unit) {
            (Until::Down, _) => match node.stuck() {
                Some(processes) => Some(ItemOutcome::Stuck { processes: processes.to_vec() }),
                None => (!node.is_live()).then_some(ItemOutcome::Stopped),
            },
            (Until::Ready | Until::Done, Unit::Service(unit)) => {
                // One that is to be restarted is about to stop.
                let proven = unit.machine.is_proven() && node.schedule.restart.is_none();
                match self.service_state(node, unit).verdict(proven, asked) {
                    Verdict::Holds | Verdict::Fails => end_of_start(unit),
                    Verdict::Pending => blocked(node),
                }
            }
            // A run that is still to come is the one that counts.
            (Until::Ready | Until::Done, Unit::Task(unit)) if unit.is_asked() => blocked(node),
            (Until::Ready | Until::Done, Unit::Task(unit)) => {
                match self.task_state(node, unit).verdict(asked) {
                    Verdict::Holds => end_of(&unit.run).or(Some(ItemOutcome::Unchanged)),
                    Verdict::Fails => end_of(&unit.run),
                    Verdict::Pending => blocked(node),
                }
            }
        }
    }
}

fn fate_of_down(op: &Operation, node: &Node) -> Option<ItemOutcome> {
    if node.wanted {
        return Some(ItemOutcome::Superseded);
    }
    if let Some(processes) = node.stuck() {
        return Some(ItemOutcome::Stuck { processes: processes.to_vec() });
    }
    if node.is_live() {
        return None;
    }
    let untouched = op.untouched.contains_key(&node.name);
    Some(if untouched { ItemOutcome::Unchanged } else { ItemOutcome::Stopped })
}

fn fate_of_start(op: &Operation, node: &Node, unit: &ServiceUnit) -> Option<ItemOutcome> {
    if !node.wanted {
        return Some(ItemOutcome::Superseded);
    }
    if let Some(processes) = node.stuck() {
        return Some(ItemOutcome::Stuck { processes: processes.to_vec() });
    }
    if node.schedule.restart.is_some() {
        return None;
    }
    match &unit.machine.phase {
        // A task that needs it goes ahead at once; what its window held down is to come back.
        Phase::Ready if !unit.machine.is_proven() && !op.takes_start_for_ready(&node.name) => None,
        Phase::Ready if op.untouched.get(&node.name) == Some(&unit.machine.generation) => {
            Some(ItemOutcome::Unchanged)
        }
        Phase::Ready | Phase::Exited { .. } | Phase::Failed { .. } => end_of_start(unit),
        Phase::Idle => blocked(node),
        Phase::Starting(_)
        | Phase::Unhealthy { .. }
        | Phase::Stopping(_)
        | Phase::Backoff { .. } => None,
    }
}

/// How the start of a service ended, if it is over.
fn end_of_start(unit: &ServiceUnit) -> Option<ItemOutcome> {
    let machine = &unit.machine;
    match &machine.phase {
        Phase::Ready => {
            Some(ItemOutcome::Ready { after_ms: machine.ready_after_ms().unwrap_or(0) })
        }
        Phase::Exited { .. } => Some(ItemOutcome::Ended { exit: machine.exit }),
        Phase::Failed { reason } => {
            let exit = exit_of_failure(&reason.failure, unit);
            Some(ItemOutcome::Failed { reason: reason.clone(), exit })
        }
        Phase::Idle
        | Phase::Starting(_)
        | Phase::Unhealthy { .. }
        | Phase::Stopping(_)
        | Phase::Backoff { .. } => None,
    }
}

/// The exit that a failure is about: that of an earlier start is not.
fn exit_of_failure(failure: &Failure, unit: &ServiceUnit) -> Option<Exit> {
    match failure {
        Failure::Exited { exit, .. } => Some(*exit),
        Failure::OutOfMemory => unit.machine.exit,
        Failure::Background { .. }
        | Failure::BeforeStart { .. }
        | Failure::NotStarted { .. }
        | Failure::NotReady { .. }
        | Failure::Unhealthy { .. }
        | Failure::Memory { .. }
        | Failure::PortHeld { .. }
        | Failure::Step { .. }
        | Failure::TooLong { .. }
        | Failure::Cancelled
        | Failure::NotStopped { .. }
        | Failure::NeedLost { .. }
        | Failure::Other(_) => None,
    }
}

fn blocked(node: &Node) -> Option<ItemOutcome> {
    let schedule = &node.schedule;
    match (&schedule.due, &schedule.blocked) {
        (Some(_), Some(by)) => Some(ItemOutcome::Blocked { by: by.clone() }),
        (Some(_), None) | (None, _) => None,
    }
}

fn fate_of_run(op: &Operation, node: &Node, unit: &TaskUnit) -> Option<ItemOutcome> {
    let own = matches!(&op.kind, Kind::Run { task } if *task == node.name);
    if let Some(processes) = unit.run.stuck() {
        return Some(ItemOutcome::Stuck { processes: processes.to_vec() });
    }
    let over = if own {
        unit.orders.finished == Some(op.id)
    } else {
        !unit.run.is_live() && node.schedule.settled > op.since
    };
    if !over {
        return if unit.run.is_live() { None } else { blocked(node) };
    }
    end_of(&unit.run)
}

/// How a task's run ended, if it is over.
pub(super) fn end_of(run: &TaskMachine) -> Option<ItemOutcome> {
    match &run.phase {
        RunPhase::Done { after_ms } => Some(ItemOutcome::Ready { after_ms: *after_ms }),
        RunPhase::Skipped => Some(ItemOutcome::Skipped),
        RunPhase::Failed { reason } => {
            Some(ItemOutcome::Failed { reason: reason.clone(), exit: run.exit })
        }
        RunPhase::Idle
        | RunPhase::Inputs
        | RunPhase::Window
        | RunPhase::Spawn
        | RunPhase::Running { .. }
        | RunPhase::Ending { .. }
        | RunPhase::Recording { .. }
        | RunPhase::Rescue { .. } => None,
    }
}
