//! What has become of what a request is about, as far as that is known.

use super::{
    How, Supervisor, Until,
    node::{Node, ServiceUnit, TaskUnit, Unit},
    op::{Kind, Op},
};
use crate::{
    lifecycle::{Ending, Phase, Run, RunPhase},
    model::Exit,
    status::{Asked, Verdict},
};

impl Supervisor {
    /// What has become of a target of a request; of what is waited for, [`Supervisor::fate_of_wait`].
    pub(super) fn fate(&self, op: &Op, node: &Node) -> Option<How> {
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
    pub(super) fn fate_of_wait(&self, node: &Node, until: Until, asked: Asked) -> Option<How> {
        match (until, &node.unit) {
            (Until::Down, _) => match node.stuck() {
                Some(processes) => Some(How::Stuck { processes: processes.to_vec() }),
                None => (!node.is_live()).then_some(How::Stopped),
            },
            (Until::Ready | Until::Done, Unit::Service(unit)) => {
                // One that is to be restarted is about to stop.
                let proven = unit.life.is_proven() && node.standing.restart.is_none();
                match self.service_state(node, unit).verdict(proven, asked) {
                    Verdict::Holds | Verdict::Fails => end_of_start(unit),
                    Verdict::Pending => blocked(node),
                }
            }
            // A run that is still to come is the one that counts.
            (Until::Ready | Until::Done, Unit::Task(unit)) if unit.is_asked() => blocked(node),
            (Until::Ready | Until::Done, Unit::Task(unit)) => {
                match self.task_state(node, unit).verdict(asked) {
                    Verdict::Holds => end_of(&unit.run).or(Some(How::Unchanged)),
                    Verdict::Fails => end_of(&unit.run),
                    Verdict::Pending => blocked(node),
                }
            }
        }
    }
}

fn fate_of_down(op: &Op, node: &Node) -> Option<How> {
    if node.wanted {
        return Some(How::Superseded);
    }
    if let Some(processes) = node.stuck() {
        return Some(How::Stuck { processes: processes.to_vec() });
    }
    if node.is_live() {
        return None;
    }
    let untouched = op.untouched.contains_key(&node.name);
    Some(if untouched { How::Unchanged } else { How::Stopped })
}

fn fate_of_start(op: &Op, node: &Node, unit: &ServiceUnit) -> Option<How> {
    if !node.wanted {
        return Some(How::Superseded);
    }
    if let Some(processes) = node.stuck() {
        return Some(How::Stuck { processes: processes.to_vec() });
    }
    if node.standing.restart.is_some() {
        return None;
    }
    match &unit.life.phase {
        // A task that needs it goes ahead at once; what its window held down is to come back.
        Phase::Ready if !unit.life.is_proven() && !op.takes_start_for_ready(&node.name) => None,
        Phase::Ready if op.untouched.get(&node.name) == Some(&unit.life.generation) => {
            Some(How::Unchanged)
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
fn end_of_start(unit: &ServiceUnit) -> Option<How> {
    let life = &unit.life;
    match &life.phase {
        Phase::Ready => Some(How::Ready { after_ms: life.ready_after_ms().unwrap_or(0) }),
        Phase::Exited { .. } => Some(How::Ended { exit: life.exit }),
        Phase::Failed { reason, port } => {
            let (reason, exit) = (reason.clone(), exit_of_failure(unit));
            Some(How::Failed { reason, exit, port: *port })
        }
        Phase::Idle
        | Phase::Starting(_)
        | Phase::Unhealthy { .. }
        | Phase::Stopping(_)
        | Phase::Backoff { .. } => None,
    }
}

fn exit_of_failure(unit: &ServiceUnit) -> Option<Exit> {
    // The exit of an earlier start is no part of this story.
    match &unit.life.ending {
        Some(Ending::Exit(exit)) => Some(*exit),
        Some(Ending::OutOfMemory) => unit.life.exit,
        // It ended well, which is none of a failure's exits.
        Some(
            Ending::Background(_)
            | Ending::Hook(_)
            | Ending::Start(_)
            | Ending::Unhealthy(_)
            | Ending::Memory(_)
            | Ending::Busy { .. },
        )
        | None => None,
    }
}

fn blocked(node: &Node) -> Option<How> {
    let standing = &node.standing;
    match (&standing.due, &standing.blocked) {
        (Some(_), Some(by)) => Some(How::Blocked { by: by.clone() }),
        (Some(_), None) | (None, _) => None,
    }
}

fn fate_of_run(op: &Op, node: &Node, unit: &TaskUnit) -> Option<How> {
    let own = matches!(&op.kind, Kind::Run { task } if *task == node.name);
    if let Some(processes) = unit.run.stuck() {
        return Some(How::Stuck { processes: processes.to_vec() });
    }
    let over = if own {
        unit.orders.finished == Some(op.id)
    } else {
        !unit.run.is_live() && node.standing.settled > op.since
    };
    if !over {
        return if unit.run.is_live() { None } else { blocked(node) };
    }
    end_of(&unit.run)
}

/// How a task's run ended, if it is over.
pub(super) fn end_of(run: &Run) -> Option<How> {
    match &run.phase {
        RunPhase::Done { after_ms } => Some(How::Ready { after_ms: *after_ms }),
        RunPhase::Skipped => Some(How::Skipped),
        RunPhase::Failed { reason } => {
            Some(How::Failed { reason: reason.clone(), exit: run.exit, port: None })
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
