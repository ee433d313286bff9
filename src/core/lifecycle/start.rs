//! How a service starts.
//!
//! Its ports must be free → what earlier runs left is deleted → `before-start` → the process →
//! its checks, for at most `within` → ready. What is not declared is left out. An external
//! service has its checks alone. `after-ready` runs beside what follows and delays nobody.
//!
//! A service with neither checks nor ports is ready by having started: what needs it goes ahead.
//! That is believed, and told, once it has lived for a while ([`super::trial`]); an end before that
//! is a failed start.

use std::time::Duration;

use super::{
    Effect, Input, Phase, PortsAnswer, ProbeAnswer, ServiceMachine, StartStage, Transition, millis,
};
use crate::{
    event::{Cause, Event, Tick},
    model::{Exit, Hook},
    reason::{Failure, HookFailure, Notice},
};

/// A timer that comes later than this was held up (the machine slept, the supervisor was
/// stalled): the checks are given one more chance.
const LATE: Duration = Duration::from_secs(2);

impl ServiceMachine {
    /// Begins a start, if nothing runs. All needs hold: the supervisor has seen to that.
    pub fn start(&mut self, cause: Cause, transition: &mut Transition<'_>) {
        if !matches!(self.phase, Phase::Idle) {
            return;
        }
        self.generation += 1;
        self.restarts = match (self.again, self.afresh) {
            (true, _) => self.restarts + 1,
            (false, true) => 0,
            (false, false) => self.restarts,
        };
        (self.again, self.afresh) = (false, false);
        self.cause = cause;
        self.began = transition.now;
        self.ready_at = None;
        self.trial = None;
        self.failed_hook = None;
        self.failed_check = None;
        self.last_line = None;
        self.failures = 0;
        self.stage(StartStage::Ports, transition);
        self.publish(Event::Starting, transition);
        if transition.service.is_external() {
            self.await_ready(transition);
        } else if transition.service.ports.is_empty() {
            self.clean(transition);
        } else {
            self.emit(Effect::CheckPorts, transition);
        }
    }

    /// Asks an external service again whether it is ready, before something that needs it starts.
    pub fn recheck(&mut self, cause: Cause, transition: &mut Transition<'_>) {
        if transition.service.is_external() && matches!(self.phase, Phase::Ready) {
            self.emit(Effect::StopProbes, transition);
            self.cause = cause;
            self.began = transition.now;
            self.ready_at = None;
            self.await_ready(transition);
        }
    }

    pub(super) fn while_starting(
        &mut self,
        at: StartStage,
        input: Input,
        transition: &mut Transition<'_>,
    ) {
        match (at, input) {
            (StartStage::Ports, Input::Ports(PortsAnswer::Free)) => self.clean(transition),
            (StartStage::Ports, Input::Ports(PortsAnswer::Busy { port, holder })) => {
                self.judge(&Failure::PortHeld { port, holder }, transition);
            }
            (StartStage::Cleanup, Input::Cleaned(cleaned)) => {
                self.note_cleaned(cleaned, transition);
                self.prepare(transition);
            }
            (StartStage::Hook, Input::HookEnded { hook: Hook::BeforeStart, exit }) => {
                self.prepared(&exit, transition);
            }
            (StartStage::Spawn, Input::Spawned { pid, at }) => {
                self.spawned(pid, at, transition);
                self.await_ready(transition);
                self.ready_by_being(transition);
            }
            (StartStage::Spawn, Input::SpawnFailed(error)) => {
                self.end_unspawned(Failure::NotStarted { error }, transition);
            }
            (StartStage::Check { .. }, Input::Probed(ProbeAnswer::Holds)) => self.ready(transition),
            (StartStage::Check { .. }, Input::Probed(ProbeAnswer::Fails(check))) => {
                self.answered(&check, transition);
            }
            (StartStage::Check { .. }, Input::MemoryExceeded(bytes)) => {
                self.outgrown(bytes, transition);
            }
            (StartStage::Spawn | StartStage::Check { .. }, Input::Exited(exited)) => {
                self.main_ended(exited, transition);
            }
            (StartStage::Spawn | StartStage::Check { .. }, Input::TreeGone { swept }) => {
                self.vanished(swept, transition);
            }
            // Answers that this stage did not ask for: they belong to an earlier one.
            (
                StartStage::Ports
                | StartStage::Cleanup
                | StartStage::Hook
                | StartStage::Spawn
                | StartStage::Check { .. },
                _,
            ) => {}
        }
    }

    /// The checks did not hold in time.
    pub(super) fn start_too_slow(&mut self, transition: &mut Transition<'_>) {
        let Phase::Starting(StartStage::Check { until }) = self.phase else { return };
        if transition.now.since(until) > LATE {
            let until = transition.now + transition.service.ready.timeout;
            self.stage(StartStage::Check { until }, transition);
            return;
        }
        let within_ms = millis(transition.service.ready.within);
        let failure = Failure::NotReady { within_ms, check: self.failed_check.clone() };
        self.end_by(failure, transition);
    }

    pub(super) fn note_cleaned(
        &self,
        cleaned: Result<(), String>,
        transition: &mut Transition<'_>,
    ) {
        // Something that cannot be deleted may do no harm: the start itself will show.
        if let Err(error) = cleaned {
            self.publish(Event::Notice { notice: Notice::Cleanup { error } }, transition);
        }
    }

    pub(super) fn spawned(&mut self, pid: u32, at: Tick, transition: &mut Transition<'_>) {
        self.pid = Some(pid);
        self.started = Some(at);
        self.publish(Event::Spawned { pid, log: None }, transition);
    }

    fn clean(&mut self, transition: &mut Transition<'_>) {
        if transition.service.cleanup.is_empty() {
            self.prepare(transition);
        } else {
            self.stage(StartStage::Cleanup, transition);
            self.emit(Effect::Cleanup, transition);
        }
    }

    fn prepare(&mut self, transition: &mut Transition<'_>) {
        if transition.service.hooks.before_start.is_empty() {
            self.spawn(transition);
        } else {
            self.stage(StartStage::Hook, transition);
            self.emit(Effect::RunHook(Hook::BeforeStart), transition);
        }
    }

    fn prepared(&mut self, exit: &Result<Exit, String>, transition: &mut Transition<'_>) {
        match HookFailure::of(exit) {
            None => self.spawn(transition),
            Some(how) => self.end_unspawned(Failure::BeforeStart { how }, transition),
        }
    }

    fn spawn(&mut self, transition: &mut Transition<'_>) {
        self.stage(StartStage::Spawn, transition);
        self.emit(Effect::Spawn { args: Vec::new() }, transition);
    }

    fn await_ready(&mut self, transition: &mut Transition<'_>) {
        let until = transition.now + transition.service.ready.within;
        self.stage(StartStage::Check { until }, transition);
        self.emit(Effect::StartReady, transition);
    }

    /// A service with nothing to check is ready by running, even if it has ended before anybody
    /// could ask.
    fn ready_by_being(&mut self, transition: &mut Transition<'_>) {
        if !transition.service.is_checked() {
            self.ready(transition);
        }
    }

    fn ready(&mut self, transition: &mut Transition<'_>) {
        self.enter(Phase::Ready, transition.now);
        self.ready_at = Some(transition.now);
        self.failed_check = None;
        self.begin_trial(transition);
        self.emit(Effect::StopProbes, transition);
        if transition.service.alive.is_some() {
            self.emit(Effect::StartAlive, transition);
        }
        if !transition.service.hooks.after_ready.is_empty() && !transition.service.is_external() {
            self.run_beside(Hook::AfterReady, transition);
        }
    }

    fn stage(&mut self, stage: StartStage, transition: &Transition<'_>) {
        self.enter(Phase::Starting(stage), transition.now);
    }
}
