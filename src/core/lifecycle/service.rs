//! The life of one service.
//!
//! | phase     | what runs                  | leaves it                                            |
//! |-----------|----------------------------|------------------------------------------------------|
//! | Idle      | nothing                    | `start`                                              |
//! | Starting  | nothing, then the process  | ready → Ready; failed, too slow or ended → Stopping; |
//! |           |                            | ports held by someone else → Failed; `stop`          |
//! | Ready     | the process                | liveness lost → Unhealthy; ended or too large →      |
//! |           |                            | Stopping; `stop`. What nothing checks is believed    |
//! |           |                            | once it has lived for a while (its *trial*)          |
//! | Unhealthy | the process                | liveness back → Ready; cooldown over → Stopping;     |
//! |           |                            | ended → Stopping; `stop`                             |
//! | Stopping  | what is left of the tree   | tree gone, ports free, tidied → Idle if that was     |
//! |           |                            | asked for, else by the restart policy to Backoff,    |
//! |           |                            | Exited or Failed                                     |
//! | Backoff   | nothing                    | pause over → Idle (to be started again); `stop`      |
//! | Exited    | nothing                    | `stop`, `reset`                                      |
//! | Failed    | nothing                    | `stop`, `reset`                                      |
//!
//! The stages of a start are told in [`super::start`], those of a stop in [`super::stop`]. Each
//! start is a new generation. After Backoff a service waits in Idle for its needs like any
//! other: that a need was lost stops nobody, but starts wait for it.

use serde::{Deserialize, Serialize};

use super::{Effect, Effects, Input, Phase, StartStage, backoff::Tries, millis};
use crate::{
    event::{Cause, Event, Tick},
    model::{Exit, Hook, Service, is_default},
    reason::{FailedCheck, Failure, HookFailure, LastLine, Notice},
    status::ServiceState,
};

/// What a service is doing, and what is remembered of what it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceMachine {
    /// What it is doing.
    pub phase: Phase,
    /// Since when it is in the state that people see.
    pub since: Tick,
    /// Its present start, or its last one; 0 before the first.
    pub generation: u64,
    /// Its main process.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pid: Option<u32>,
    /// Since when that runs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub started: Option<Tick>,
    /// When its last start began.
    pub began: Tick,
    /// When this generation first was ready.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ready_at: Option<Tick>,
    /// How its last process ended.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exit: Option<Exit>,
    /// Why its last generation ended, where nobody had asked for that.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failure: Option<Failure>,
    /// How often it was started again by itself (after a crash, a failed start, for its health or
    /// its memory) since it was last down because nobody wanted it, or had failed for good.
    #[serde(default, skip_serializing_if = "is_default")]
    pub restarts: u64,
    /// Whether the next start is one of those.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) again: bool,
    /// Whether the count begins again with the next start.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) afresh: bool,
    /// Why it is doing what it does.
    pub cause: Cause,
    /// The check that failed last.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failed_check: Option<FailedCheck>,
    /// What it printed last before its end.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) last_line: Option<LastLine>,
    /// Whether nothing was checked when this generation became ready: it had started, and that was
    /// all.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) unchecked: bool,
    /// Until when such a service has to live before that is believed. Still there once it has
    /// ended: it ended too early.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) trial: Option<Tick>,
    /// The hook beside this generation that failed last, and how. It ends nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failed_hook: Option<(Hook, HookFailure)>,
    /// Liveness failures in a row.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) failures: u32,
    /// When it last was restarted for being unhealthy.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) mended: Option<Tick>,
    /// Hooks that run beside it: `after-ready`, `on-failure`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) beside: Vec<Hook>,
    pub(super) tries: Tries,
}

/// What one step of a [`ServiceMachine`] is taken with.
#[derive(Debug)]
pub struct Transition<'a> {
    /// The definition in force.
    pub service: &'a Service,
    /// The time.
    pub now: Tick,
    /// What is to be done, in this order.
    pub effects: &'a mut Effects,
}

impl ServiceMachine {
    /// A service that was never started. `seed` varies the jitter of its backoff.
    pub fn new(seed: u64) -> Self {
        Self {
            phase: Phase::Idle,
            since: Tick::default(),
            generation: 0,
            pid: None,
            started: None,
            began: Tick::default(),
            ready_at: None,
            exit: None,
            failure: None,
            restarts: 0,
            again: false,
            afresh: false,
            cause: Cause::Supervisor,
            failed_check: None,
            last_line: None,
            unchecked: false,
            trial: None,
            failed_hook: None,
            failures: 0,
            mended: None,
            beside: Vec::new(),
            tries: Tries::new(seed),
        }
    }

    /// The state that people see; a service that waits is idle here.
    pub fn state(&self) -> ServiceState {
        match &self.phase {
            Phase::Idle => ServiceState::Idle,
            Phase::Starting(_) => ServiceState::Starting,
            Phase::Ready => ServiceState::Ready,
            Phase::Unhealthy { .. } => ServiceState::Unhealthy,
            Phase::Stopping(_) => ServiceState::Stopping,
            Phase::Backoff { .. } => ServiceState::Backoff,
            Phase::Exited { .. } => ServiceState::Exited,
            Phase::Failed { .. } => ServiceState::Failed,
        }
    }

    /// Whether anything of it may run.
    pub fn is_live(&self) -> bool {
        match &self.phase {
            Phase::Starting(_) | Phase::Ready | Phase::Unhealthy { .. } | Phase::Stopping(_) => {
                true
            }
            Phase::Idle | Phase::Backoff { .. } | Phase::Exited { .. } | Phase::Failed { .. } => {
                false
            }
        }
    }

    /// Whether its process runs and is not being stopped.
    pub fn has_started(&self) -> bool {
        match &self.phase {
            Phase::Starting(StartStage::Check { .. }) | Phase::Ready | Phase::Unhealthy { .. } => {
                true
            }
            Phase::Starting(
                StartStage::Ports | StartStage::Cleanup | StartStage::Hook | StartStage::Spawn,
            )
            | Phase::Idle
            | Phase::Stopping(_)
            | Phase::Backoff { .. }
            | Phase::Exited { .. }
            | Phase::Failed { .. } => false,
        }
    }

    /// How long it took from the start to ready, once it is.
    pub fn ready_after_ms(&self) -> Option<u64> {
        self.ready_at.map(|at| millis(at.since(self.began)))
    }

    /// The processes that could not be ended, once the stop's last deadline has passed.
    pub fn stuck(&self) -> Option<&[String]> {
        match &self.phase {
            Phase::Stopping(stopping) if stopping.overdue => Some(&stopping.stuck),
            Phase::Stopping(_)
            | Phase::Idle
            | Phase::Starting(_)
            | Phase::Ready
            | Phase::Unhealthy { .. }
            | Phase::Backoff { .. }
            | Phase::Exited { .. }
            | Phase::Failed { .. } => None,
        }
    }

    /// When `tick` has something to do.
    pub fn deadline(&self) -> Option<Tick> {
        match &self.phase {
            Phase::Starting(StartStage::Check { until }) | Phase::Backoff { until, .. } => {
                Some(*until)
            }
            Phase::Unhealthy { until, .. } => *until,
            Phase::Stopping(stopping) => stopping.deadline(),
            Phase::Starting(
                StartStage::Ports | StartStage::Cleanup | StartStage::Hook | StartStage::Spawn,
            )
            | Phase::Idle
            | Phase::Exited { .. }
            | Phase::Failed { .. } => None,
            Phase::Ready => self.trial,
        }
    }

    /// Has the count of its restarts begin again: nobody wants it any more.
    pub fn begin_afresh(&mut self) {
        self.again = false;
        self.afresh = true;
    }

    /// Forgets earlier failures, and leaves a state that only they explain.
    pub fn reset(&mut self, now: Tick) {
        self.tries.reset();
        self.mended = None;
        match &self.phase {
            Phase::Backoff { .. } => self.enter(Phase::Idle, now),
            Phase::Exited { .. } | Phase::Failed { .. } => {
                self.begin_afresh();
                self.enter(Phase::Idle, now);
            }
            Phase::Idle
            | Phase::Starting(_)
            | Phase::Ready
            | Phase::Unhealthy { .. }
            | Phase::Stopping(_) => {}
        }
    }

    /// Takes in what happened in the present generation.
    pub fn input(&mut self, input: Input, transition: &mut Transition<'_>) {
        if let Input::HookEnded { hook, exit } = &input {
            self.publish_hook(*hook, exit, transition);
            if self.beside.contains(hook) {
                self.beside.retain(|running| running != hook);
                let failed = HookFailure::of(exit).map(|how| (*hook, how));
                self.failed_hook = failed.or(self.failed_hook.take());
                return;
            }
        }
        match (&self.phase, input) {
            (Phase::Starting(stage), input) => self.while_starting(*stage, input, transition),
            (Phase::Ready | Phase::Unhealthy { .. }, input) => self.while_up(input, transition),
            (Phase::Stopping(_), input) => self.while_stopping(input, transition),
            // Nothing runs and nothing was asked: a late answer of this generation.
            (
                Phase::Idle | Phase::Backoff { .. } | Phase::Exited { .. } | Phase::Failed { .. },
                _,
            ) => {}
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, transition: &mut Transition<'_>) {
        if self.deadline().is_none_or(|deadline| deadline > transition.now) {
            return;
        }
        match &self.phase {
            Phase::Starting(_) => self.start_too_slow(transition),
            Phase::Unhealthy { check, .. } => {
                let check = check.clone();
                self.restart_unhealthy(check, transition);
            }
            Phase::Stopping(_) => self.stop_too_slow(transition),
            Phase::Backoff { .. } => self.enter(Phase::Idle, transition.now),
            Phase::Ready => self.prove(transition),
            Phase::Idle | Phase::Exited { .. } | Phase::Failed { .. } => {}
        }
    }

    /// Takes on a definition whose process would be the same: probes that changed are asked anew.
    pub fn update(&mut self, old: &Service, transition: &mut Transition<'_>) {
        match &self.phase {
            Phase::Starting(StartStage::Check { .. }) if old.ready != transition.service.ready => {
                self.emit(Effect::StopProbes, transition);
                self.emit(Effect::StartReady, transition);
                let until = self.started.unwrap_or(self.began) + transition.service.ready.within;
                self.phase = Phase::Starting(StartStage::Check { until });
            }
            Phase::Ready | Phase::Unhealthy { .. } if old.alive != transition.service.alive => {
                self.emit(Effect::StopProbes, transition);
                self.failures = 0;
                if transition.service.alive.is_some() {
                    self.emit(Effect::StartAlive, transition);
                } else {
                    self.enter(Phase::Ready, transition.now);
                }
            }
            Phase::Starting(_)
            | Phase::Ready
            | Phase::Unhealthy { .. }
            | Phase::Idle
            | Phase::Stopping(_)
            | Phase::Backoff { .. }
            | Phase::Exited { .. }
            | Phase::Failed { .. } => {}
        }
    }

    /// What was asked of the world and may have been lost with the one who asked: to ask again
    /// must be harmless.
    pub fn resume(&self, transition: &mut Transition<'_>) {
        let lost = match &self.phase {
            Phase::Starting(StartStage::Ports) => Some(Effect::CheckPorts),
            Phase::Starting(StartStage::Cleanup) => Some(Effect::Cleanup),
            Phase::Starting(StartStage::Hook) => Some(Effect::RunHook(Hook::BeforeStart)),
            Phase::Starting(StartStage::Spawn) => Some(Effect::Spawn { args: Vec::new() }),
            Phase::Starting(StartStage::Check { .. }) => Some(Effect::StartReady),
            Phase::Ready | Phase::Unhealthy { .. } => {
                transition.service.alive.is_some().then_some(Effect::StartAlive)
            }
            Phase::Stopping(stopping) => stopping.lost(transition.service),
            Phase::Idle | Phase::Backoff { .. } | Phase::Exited { .. } | Phase::Failed { .. } => {
                None
            }
        };
        if let Some(effect) = lost {
            self.emit(effect, transition);
        }
    }

    /// Its last start is found to be this one; that it runs is told next, as of any start.
    pub fn find(&mut self, generation: u64, runs: bool, now: Tick) {
        self.generation = generation;
        self.began = now;
        if runs {
            self.enter(Phase::Starting(StartStage::Spawn), now);
        }
    }

    pub(super) fn enter(&mut self, phase: Phase, now: Tick) {
        let before = self.state();
        self.phase = phase;
        if self.state() != before {
            self.since = now;
        }
    }

    pub(super) fn emit(&self, effect: Effect, transition: &mut Transition<'_>) {
        transition.effects.push((self.generation, effect));
    }

    pub(super) fn publish(&self, event: Event, transition: &mut Transition<'_>) {
        self.publish_because(event, self.cause.clone(), transition);
    }

    pub(super) fn publish_because(
        &self,
        event: Event,
        cause: Cause,
        transition: &mut Transition<'_>,
    ) {
        self.emit(Effect::Publish(event, cause), transition);
    }

    pub(super) fn run_beside(&mut self, hook: Hook, transition: &mut Transition<'_>) {
        self.beside.push(hook);
        self.emit(Effect::RunHook(hook), transition);
    }

    fn publish_hook(
        &self,
        hook: Hook,
        exit: &Result<Exit, String>,
        transition: &mut Transition<'_>,
    ) {
        let event = match exit {
            Ok(exit) => {
                let commands =
                    Some(hook.commands(transition.service).len()).filter(|count| *count > 1);
                Event::Hook { hook, commands, exit: *exit }
            }
            Err(error) => {
                let how = HookFailure::Error(error.clone());
                Event::Notice { notice: Notice::HookFailed { hook, how } }
            }
        };
        self.publish(event, transition);
    }
}
