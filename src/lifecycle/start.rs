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

use super::{Effect, Ending, Hook, Input, Life, Phase, PortsAnswer, ProbeAnswer, StartStage, Step};
use crate::{
    event::{Cause, Event},
    model::{Exit, time},
};

/// A timer that comes later than this was held up (the machine slept, the supervisor was
/// stalled): the checks are given one more chance.
const LATE: Duration = Duration::from_secs(2);

impl Life {
    /// Begins a start, if nothing runs. All needs hold: the supervisor has seen to that.
    pub fn start(&mut self, cause: Cause, step: &mut Step<'_>) {
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
        self.began = step.now;
        self.ready_at = None;
        self.trial = None;
        self.failed_hook = None;
        self.answer = None;
        self.last_words = None;
        self.out_of_memory = false;
        self.failures = 0;
        self.stage(StartStage::Ports, step);
        self.publish(Event::Starting, step);
        if step.service.is_external() {
            self.await_ready(step);
        } else if step.service.ports.is_empty() {
            self.clean(step);
        } else {
            self.emit(Effect::CheckPorts, step);
        }
    }

    /// Asks an external service again whether it is ready, before something that needs it starts.
    pub fn recheck(&mut self, cause: Cause, step: &mut Step<'_>) {
        if step.service.is_external() && matches!(self.phase, Phase::Ready) {
            self.emit(Effect::StopProbes, step);
            self.cause = cause;
            self.began = step.now;
            self.ready_at = None;
            self.await_ready(step);
        }
    }

    pub(super) fn while_starting(&mut self, at: StartStage, input: Input, step: &mut Step<'_>) {
        match (at, input) {
            (StartStage::Ports, Input::Ports(PortsAnswer::Free)) => self.clean(step),
            (StartStage::Ports, Input::Ports(PortsAnswer::Busy { port, holder })) => {
                self.judge(&Ending::Busy { port, holder }, step);
            }
            (StartStage::Cleanup, Input::Cleaned(cleaned)) => {
                self.note_cleaned(cleaned, step);
                self.prepare(step);
            }
            (StartStage::Hook, Input::HookEnded { hook: Hook::BeforeStart, exit }) => {
                self.prepared(exit, step);
            }
            (StartStage::Spawn, Input::Spawned { pid }) => {
                self.spawned(pid, step);
                self.await_ready(step);
                self.ready_by_being(step);
            }
            (StartStage::Spawn, Input::SpawnFailed(error)) => {
                self.end_unspawned(Ending::Start(error), step);
            }
            (StartStage::Check { .. }, Input::Probed(ProbeAnswer::Holds)) => self.ready(step),
            (StartStage::Check { .. }, Input::Probed(ProbeAnswer::Fails { check, answer })) => {
                self.answered(check, answer, step);
            }
            (StartStage::Check { .. }, Input::MemoryExceeded(bytes)) => {
                self.end_by(Ending::Memory(bytes), step);
            }
            (StartStage::Spawn | StartStage::Check { .. }, Input::Exited { exit, background }) => {
                self.main_ended(exit, background, step);
            }
            (StartStage::Spawn | StartStage::Check { .. }, Input::TreeGone { swept }) => {
                self.vanished(swept, step);
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
    pub(super) fn start_too_slow(&mut self, step: &mut Step<'_>) {
        let Phase::Starting(StartStage::Check { until }) = self.phase else { return };
        if step.now.since(until) > LATE {
            let until = step.now + step.service.ready.timeout;
            self.stage(StartStage::Check { until }, step);
            return;
        }
        let mut reason = format!("not ready within {}", time::setting(step.service.ready.within));
        if let Some((check, answer)) = &self.answer {
            reason.push_str(&format!(" ({check}: {answer})"));
        }
        self.end_by(Ending::Start(reason), step);
    }

    pub(super) fn note_cleaned(&self, cleaned: Result<(), String>, step: &mut Step<'_>) {
        // Something that cannot be deleted may do no harm: the start itself will show.
        if let Err(error) = cleaned {
            self.publish(Event::Notice { text: format!("cleanup: {error}") }, step);
        }
    }

    pub(super) fn spawned(&mut self, pid: u32, step: &mut Step<'_>) {
        self.pid = Some(pid);
        self.started = Some(step.now);
        self.publish(Event::Spawned { pid, log: None }, step);
    }

    fn clean(&mut self, step: &mut Step<'_>) {
        if step.service.cleanup.is_empty() {
            self.prepare(step);
        } else {
            self.stage(StartStage::Cleanup, step);
            self.emit(Effect::Cleanup, step);
        }
    }

    fn prepare(&mut self, step: &mut Step<'_>) {
        if step.service.hooks.before_start.is_empty() {
            self.spawn(step);
        } else {
            self.stage(StartStage::Hook, step);
            self.emit(Effect::RunHook(Hook::BeforeStart), step);
        }
    }

    fn prepared(&mut self, exit: Result<Exit, String>, step: &mut Step<'_>) {
        let reason = match exit {
            Ok(Exit::SUCCESS) => return self.spawn(step),
            Ok(exit) => exit.to_string(),
            Err(error) => error,
        };
        self.end_unspawned(Ending::Hook(reason), step);
    }

    fn spawn(&mut self, step: &mut Step<'_>) {
        self.stage(StartStage::Spawn, step);
        self.emit(Effect::Spawn { args: Vec::new() }, step);
    }

    fn await_ready(&mut self, step: &mut Step<'_>) {
        let until = step.now + step.service.ready.within;
        self.stage(StartStage::Check { until }, step);
        self.emit(Effect::StartReady, step);
    }

    /// A service with nothing to check is ready by running, even if it has ended before anybody
    /// could ask.
    fn ready_by_being(&mut self, step: &mut Step<'_>) {
        if !step.service.is_checked() {
            self.ready(step);
        }
    }

    fn ready(&mut self, step: &mut Step<'_>) {
        self.enter(Phase::Ready, step.now);
        self.ready_at = Some(step.now);
        self.answer = None;
        self.begin_trial(step);
        self.emit(Effect::StopProbes, step);
        if step.service.alive.is_some() {
            self.emit(Effect::StartAlive, step);
        }
        if !step.service.hooks.after_ready.is_empty() && !step.service.is_external() {
            self.run_beside(Hook::AfterReady, step);
        }
    }

    fn stage(&mut self, stage: StartStage, step: &Step<'_>) {
        self.enter(Phase::Starting(stage), step.now);
    }
}
