//! How a service stops.
//!
//! The stop command, for at most the grace → the signal, for at most the grace → KILL, until the
//! tree is gone → its ports are free → `cleanup` → `after-stop`, for at most the grace → down. What
//! is not declared is left out. A tree that survives KILL counts as *stuck*, and may end later.
//!
//! An unexpected end takes the same way from KILL on (from the signal, where a server is left in the
//! background); then the restart policy decides ([`Then::Judge`]), unless a `stop` comes first.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Effect, Exited, Input, KILL_WITHIN, Phase, ServiceMachine, StartStage, TIDY_WITHIN, Transition,
    end_reason::cause_of, millis,
};
use crate::{
    event::{Cause, Event, Tick},
    model::{Exit, Hook, Service, Stop, StopTo, foreground},
    reason::{Failure, Notice},
};

/// A stop on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stopping {
    /// How far it is.
    pub stage: StopStage,
    /// Until when the stage may take.
    pub until: Option<Tick>,
    /// What comes after it.
    pub then: Then,
    /// Processes that could not be ended so far.
    pub stuck: Vec<String>,
    /// Whether the last deadline has passed and something still runs.
    pub overdue: bool,
    /// Whether the tree is gone already (while the stop command still runs).
    gone: bool,
}

/// How far a stop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopStage {
    /// A `before-start` was asked to end.
    Hook,
    /// It was killed.
    HookKill,
    /// The process was asked for and has not been seen yet.
    Spawn,
    /// The stop command runs.
    Command,
    /// The signal was sent.
    Signal,
    /// Every process was killed.
    Kill,
    /// Its ports are being looked at.
    Ports {
        /// When to look again.
        again: Option<Tick>,
    },
    /// Deleting what it left.
    Cleanup,
    /// `after-stop`.
    AfterStop,
    /// It was killed.
    AfterStopKill,
}

/// What comes after a stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// Nothing: it was asked for.
    Idle,
    /// The restart policy decides.
    Judge(Failure),
}

impl Stopping {
    /// When the stage is too slow, or has to look again.
    pub(super) fn deadline(&self) -> Option<Tick> {
        match self.stage {
            StopStage::Ports { again: Some(again) } => {
                Some(self.until.map_or(again, |until| until.min(again)))
            }
            StopStage::Ports { again: None }
            | StopStage::Hook
            | StopStage::HookKill
            | StopStage::Spawn
            | StopStage::Command
            | StopStage::Signal
            | StopStage::Kill
            | StopStage::Cleanup
            | StopStage::AfterStop
            | StopStage::AfterStopKill => self.until,
        }
    }

    /// What this stage asked for and may have been lost.
    pub(super) fn lost(&self, service: &Service) -> Option<Effect> {
        match self.stage {
            StopStage::Hook => Some(Effect::EndHook(Hook::BeforeStart)),
            StopStage::HookKill => Some(Effect::KillHook(Hook::BeforeStart)),
            StopStage::Command => Some(Effect::RunHook(Hook::Stop)),
            StopStage::Kill => Some(Effect::KillTree),
            StopStage::Ports { again: None } => Some(Effect::CheckReleased),
            StopStage::Cleanup => Some(Effect::Cleanup),
            StopStage::AfterStop => Some(Effect::RunHook(Hook::AfterStop)),
            StopStage::AfterStopKill => Some(Effect::KillHook(Hook::AfterStop)),
            StopStage::Signal => Some(signal_stop(service)),
            StopStage::Spawn => Some(Effect::CheckSpawned),
            StopStage::Ports { again: Some(_) } => None,
        }
    }
}

impl ServiceMachine {
    /// Stops it, or takes back what would have followed a stop that is already on its way.
    pub fn stop(&mut self, cause: Cause, transition: &mut Transition<'_>) {
        match &mut self.phase {
            Phase::Idle => {}
            Phase::Starting(stage) => {
                let stage = *stage;
                self.cause = cause;
                self.stop_start(stage, transition);
            }
            Phase::Ready | Phase::Unhealthy { .. } => {
                self.cause = cause;
                self.begin_stop(Then::Idle, transition);
            }
            Phase::Stopping(stopping) => {
                if stopping.then != Then::Idle {
                    stopping.then = Then::Idle;
                    self.cause = cause;
                    self.publish(Event::Stopping, transition);
                }
            }
            Phase::Backoff { .. } | Phase::Exited { .. } | Phase::Failed { .. } => {
                self.cause = cause;
                self.end_beside(transition);
                self.finish(Then::Idle, transition);
            }
        }
    }

    fn stop_start(&mut self, stage: StartStage, transition: &mut Transition<'_>) {
        match stage {
            StartStage::Ports => {
                self.publish(Event::Stopping, transition);
                self.finish(Then::Idle, transition);
            }
            StartStage::Cleanup => {
                self.publish(Event::Stopping, transition);
                self.stage_stop(StopStage::Cleanup, Then::Idle, TIDY_WITHIN, transition);
            }
            StartStage::Hook => {
                self.publish(Event::Stopping, transition);
                self.stage_stop(
                    StopStage::Hook,
                    Then::Idle,
                    transition.service.stop.grace,
                    transition,
                );
                self.emit(Effect::EndHook(Hook::BeforeStart), transition);
            }
            StartStage::Spawn => {
                self.publish(Event::Stopping, transition);
                self.stage_stop(
                    StopStage::Spawn,
                    Then::Idle,
                    transition.service.stop.grace,
                    transition,
                );
            }
            StartStage::Check { .. } => self.begin_stop(Then::Idle, transition),
        }
    }

    /// Ends a generation that is no good, and lets the restart policy decide.
    pub(super) fn end_by(&mut self, failure: Failure, transition: &mut Transition<'_>) {
        self.forgive(transition.now, transition.service);
        self.cause = cause_of(&failure);
        if let Failure::Memory { bytes, max_bytes } = failure {
            let notice = Notice::Memory { bytes, max_bytes };
            self.publish(Event::Notice { notice }, transition);
        }
        self.begin_stop(Then::Judge(failure), transition);
    }

    /// The same for one that has no process.
    pub(super) fn end_unspawned(&mut self, failure: Failure, transition: &mut Transition<'_>) {
        self.cause = cause_of(&failure);
        self.tidy(Then::Judge(failure), transition);
    }

    /// The main process ended and nobody had asked: what it left behind goes first. What went on
    /// in the background may be a server, and is asked to end before it is killed.
    pub(super) fn main_ended(&mut self, exited: Exited, transition: &mut Transition<'_>) {
        let Exited { exit, at, background, out_of_memory, last_line } = exited;
        self.last_line = last_line;
        self.forgive(at, transition.service);
        let in_background = background.is_some();
        let failure = match background {
            Some(process) => {
                let instead = foreground(transition.service.command.as_ref(), &process);
                Failure::Background { process, instead }
            }
            None if out_of_memory && !exit.is_success(&transition.service.succeeds_with) => {
                Failure::OutOfMemory
            }
            None => Failure::Exited { exit, early: self.early_exit(transition.service) },
        };
        self.cause = cause_of(&failure);
        if failure == Failure::OutOfMemory {
            self.publish(Event::Notice { notice: Notice::OutOfMemory }, transition);
        }
        let is_failure = in_background || self.is_failure(exit, transition.service);
        self.note_exit(exit, !is_failure, transition);
        self.end_beside(transition);
        self.emit(Effect::StopProbes, transition);
        let end = if in_background { Self::signal } else { Self::kill };
        end(self, Then::Judge(failure), transition);
    }

    /// The whole tree went without an exit having been seen.
    pub(super) fn vanished(&mut self, swept: usize, transition: &mut Transition<'_>) {
        self.main_ended(Exited::new(Exit::UNKNOWN, transition.now), transition);
        self.while_stopping(Input::TreeGone { swept }, transition);
    }

    pub(super) fn while_stopping(&mut self, input: Input, transition: &mut Transition<'_>) {
        let Phase::Stopping(stopping) = &mut self.phase else { return };
        match (stopping.stage, input) {
            (
                StopStage::Hook | StopStage::HookKill,
                Input::HookEnded { hook: Hook::BeforeStart, .. },
            ) => {
                let then = stopping.then.clone();
                self.tidy(then, transition);
            }
            (StopStage::Spawn, Input::Spawned { pid, at }) => {
                let then = stopping.then.clone();
                self.spawned(pid, at, transition);
                self.command_or_signal(then, transition);
            }
            // Asked for before the kill, seen after it.
            (StopStage::Kill, Input::Spawned { pid, at }) => {
                self.spawned(pid, at, transition);
                self.emit(Effect::KillTree, transition);
            }
            (StopStage::Spawn | StopStage::Kill, Input::SpawnFailed(_)) => {
                let then = stopping.then.clone();
                self.tidy(then, transition);
            }
            (StopStage::Command, Input::HookEnded { hook: Hook::Stop, .. }) => {
                let (then, gone) = (stopping.then.clone(), stopping.gone);
                if gone {
                    self.release(then, transition);
                } else {
                    self.signal(then, transition);
                }
            }
            (StopStage::Command, Input::TreeGone { swept }) => {
                stopping.gone = true;
                self.note_gone(swept, transition);
            }
            (
                StopStage::Spawn | StopStage::Command | StopStage::Signal | StopStage::Kill,
                Input::Exited(Exited { exit, last_line, .. }),
            ) => {
                self.last_line = last_line;
                self.note_exit(exit, true, transition);
            }
            (StopStage::Spawn | StopStage::Signal | StopStage::Kill, Input::TreeGone { swept }) => {
                let then = stopping.then.clone();
                self.note_gone(swept, transition);
                self.release(then, transition);
            }
            (StopStage::Kill, Input::Stuck(processes)) => {
                stopping.stuck.clone_from(&processes);
                self.publish(Event::Stuck { processes }, transition);
            }
            (StopStage::Ports { again: None }, Input::Released(free)) => {
                self.released(free, transition);
            }
            (StopStage::Cleanup, Input::Cleaned(cleaned)) => {
                let then = stopping.then.clone();
                self.note_cleaned(cleaned, transition);
                self.after_stop(then, transition);
            }
            (
                StopStage::AfterStop | StopStage::AfterStopKill,
                Input::HookEnded { hook: Hook::AfterStop, .. },
            ) => {
                let then = stopping.then.clone();
                self.finish(then, transition);
            }
            // Answers that this stage did not ask for: they belong to an earlier one.
            (
                StopStage::Hook
                | StopStage::HookKill
                | StopStage::Spawn
                | StopStage::Command
                | StopStage::Signal
                | StopStage::Kill
                | StopStage::Ports { .. }
                | StopStage::Cleanup
                | StopStage::AfterStop
                | StopStage::AfterStopKill,
                _,
            ) => {}
        }
    }

    /// A stage's time is over.
    pub(super) fn stop_too_slow(&mut self, transition: &mut Transition<'_>) {
        let Phase::Stopping(stopping) = &mut self.phase else { return };
        let then = stopping.then.clone();
        match stopping.stage {
            StopStage::Hook => {
                self.stage_stop(StopStage::HookKill, then, KILL_WITHIN, transition);
                self.emit(Effect::KillHook(Hook::BeforeStart), transition);
            }
            StopStage::HookKill => self.tidy(then, transition),
            StopStage::Command => {
                let gone = stopping.gone;
                self.emit(Effect::KillHook(Hook::Stop), transition);
                if gone {
                    self.release(then, transition);
                } else {
                    self.signal(then, transition);
                }
            }
            StopStage::Spawn | StopStage::Signal => self.kill(then, transition),
            StopStage::Kill => {
                stopping.until = None;
                stopping.overdue = true;
            }
            StopStage::Ports { again } => {
                if stopping.until.is_some_and(|until| until <= transition.now) {
                    self.publish(Event::Notice { notice: Notice::PortsInUse }, transition);
                    self.tidy(then, transition);
                } else if again.is_some() {
                    stopping.stage = StopStage::Ports { again: None };
                    self.emit(Effect::CheckReleased, transition);
                }
            }
            StopStage::Cleanup => self.after_stop(then, transition),
            StopStage::AfterStop => {
                let within_ms = millis(transition.service.stop.grace);
                let notice = Notice::HookTooLong { hook: Hook::AfterStop, within_ms };
                self.publish(Event::Notice { notice }, transition);
                self.stage_stop(StopStage::AfterStopKill, then, KILL_WITHIN, transition);
                self.emit(Effect::KillHook(Hook::AfterStop), transition);
            }
            StopStage::AfterStopKill => self.finish(then, transition),
        }
    }

    fn begin_stop(&mut self, then: Then, transition: &mut Transition<'_>) {
        self.publish(Event::Stopping, transition);
        self.emit(Effect::StopProbes, transition);
        self.end_beside(transition);
        if transition.service.is_external() {
            self.finish(then, transition);
        } else {
            self.command_or_signal(then, transition);
        }
    }

    fn command_or_signal(&mut self, then: Then, transition: &mut Transition<'_>) {
        if transition.service.stop.command.is_some() {
            self.stage_stop(StopStage::Command, then, transition.service.stop.grace, transition);
            self.emit(Effect::RunHook(Hook::Stop), transition);
        } else {
            self.signal(then, transition);
        }
    }

    fn signal(&mut self, then: Then, transition: &mut Transition<'_>) {
        let Stop { signal, to, grace, .. } = transition.service.stop;
        self.stage_stop(StopStage::Signal, then, grace, transition);
        self.emit(signal_stop(transition.service), transition);
        self.publish(Event::Signalled { signal, tree: to == StopTo::Tree }, transition);
    }

    fn kill(&mut self, then: Then, transition: &mut Transition<'_>) {
        self.stage_stop(StopStage::Kill, then, KILL_WITHIN, transition);
        self.emit(Effect::KillTree, transition);
    }

    pub(super) fn stage_stop(
        &mut self,
        stage: StopStage,
        then: Then,
        within: Duration,
        transition: &Transition<'_>,
    ) {
        let until = Some(transition.now + within);
        let stuck = Vec::new();
        let stopping = Stopping { stage, until, then, stuck, overdue: false, gone: false };
        self.enter(Phase::Stopping(stopping), transition.now);
    }

    fn end_beside(&mut self, transition: &mut Transition<'_>) {
        for hook in std::mem::take(&mut self.beside) {
            self.emit(Effect::KillHook(hook), transition);
        }
    }
}

/// The stop signal of the service's policy, sent to whom the policy says.
fn signal_stop(service: &Service) -> Effect {
    Effect::SignalStop { signal: service.stop.signal, tree: service.stop.to == StopTo::Tree }
}
