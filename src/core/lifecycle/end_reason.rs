//! What follows when a service ends otherwise than by a `stop`.

use super::{Phase, ServiceMachine, Transition, backoff::Verdict, millis};
use crate::{
    event::{Cause, Event, Tick},
    model::{Exit, Hook, RestartWhen, Service},
    reason::{EarlyExit, Failure, Reason},
};

/// Why the ledger says that what follows a failure happened.
pub(super) fn cause_of(failure: &Failure) -> Cause {
    match failure {
        Failure::Exited { .. } | Failure::Background { .. } => Cause::Exit,
        Failure::Unhealthy { .. } => Cause::Check,
        Failure::Memory { .. } | Failure::OutOfMemory => Cause::Memory,
        Failure::BeforeStart { .. }
        | Failure::NotStarted { .. }
        | Failure::NotReady { .. }
        | Failure::PortHeld { .. }
        | Failure::Step { .. }
        | Failure::TooLong { .. }
        | Failure::Cancelled
        | Failure::NotStopped { .. }
        | Failure::NeedLost { .. }
        | Failure::Other(_) => Cause::Start,
    }
}

impl ServiceMachine {
    pub(super) fn note_exit(
        &mut self,
        exit: Exit,
        expected: bool,
        transition: &mut Transition<'_>,
    ) {
        self.exit = Some(exit);
        self.pid = None;
        self.started = None;
        self.publish(Event::Exited { exit, expected, tail: Vec::new() }, transition);
    }

    pub(super) fn note_gone(&mut self, swept: usize, transition: &mut Transition<'_>) {
        self.pid = None;
        self.started = None;
        if swept > 0 {
            self.publish(Event::Swept { processes: swept }, transition);
        }
    }

    /// Decides what follows an end, once nothing of it is left: started again after a pause,
    /// ended well, or failed.
    pub(super) fn judge(&mut self, failure: &Failure, transition: &mut Transition<'_>) {
        self.cause = cause_of(failure);
        self.failure = Some(failure.clone());
        let service = transition.service;
        match (failure, service.restart.when) {
            // Another start would end in the same way.
            (Failure::PortHeld { .. } | Failure::Background { .. }, _) => {
                self.fail(failure.clone().into(), transition);
            }
            (Failure::Exited { exit, early }, RestartWhen::OnFailure | RestartWhen::Never)
                if exit.is_success(&service.succeeds_with) =>
            {
                match early {
                    None => self.enter(Phase::Exited {}, transition.now),
                    Some(_) => self.fail(self.reason_for(failure), transition),
                }
            }
            (_, RestartWhen::Never) => self.fail(self.reason_for(failure), transition),
            (_, RestartWhen::Always | RestartWhen::OnFailure) => {
                self.try_again(failure, transition);
            }
        }
    }

    fn try_again(&mut self, failure: &Failure, transition: &mut Transition<'_>) {
        let policy = &transition.service.restart;
        let ended_well = matches!(failure, Failure::Exited { exit, early: None }
            if exit.is_success(&transition.service.succeeds_with));
        let verdict = match ended_well {
            true => Verdict::Again { delay: self.tries.ended(policy), attempt: 0 },
            false => self.tries.failed(failure, self.was_ready(), policy, transition.now),
        };
        let reason = self.reason_for(failure);
        match verdict {
            Verdict::Again { delay, attempt } => {
                self.again = true;
                let phase =
                    Phase::Backoff { until: transition.now + delay, reason: reason.clone() };
                self.enter(phase, transition.now);
                let (delay_ms, of) = (millis(delay), policy.tries);
                let event = Event::Backoff { reason, delay_ms, attempt, of };
                self.publish(event, transition);
            }
            Verdict::Enough(repeated) => self.fail(Reason { repeated, ..reason }, transition),
        }
    }

    /// Whether an end by itself is a failure: before it was ready any end is, that of its start.
    pub(super) fn is_failure(&self, exit: Exit, service: &Service) -> bool {
        !self.was_ready() || !exit.is_success(&service.succeeds_with)
    }

    /// Whether an end now would be one of a service that cannot count as up yet.
    pub(super) fn early_exit(&self, service: &Service) -> Option<EarlyExit> {
        match (self.was_ready(), service.is_checked()) {
            (true, _) => None,
            (false, true) => Some(EarlyExit::BeforeReady),
            (false, false) => Some(EarlyExit::AfterStart),
        }
    }

    /// A failure with what the process printed last.
    fn reason_for(&self, failure: &Failure) -> Reason {
        Reason { last_line: self.last_line.clone(), ..failure.clone().into() }
    }

    fn fail(&mut self, reason: Reason, transition: &mut Transition<'_>) {
        self.enter(Phase::Failed { reason: reason.clone() }, transition.now);
        self.publish(Event::Failed { reason, tail: Vec::new() }, transition);
        if !transition.service.hooks.on_failure.is_empty() {
            self.run_beside(Hook::OnFailure, transition);
        }
    }

    /// What was up for long enough by the time it ended has made good its earlier failures.
    pub(super) fn forgive(&mut self, at: Tick, service: &Service) {
        let ready_at = self.ready_at.filter(|_| self.is_proven());
        if ready_at.is_some_and(|ready_at| at.since(ready_at) >= service.restart.within) {
            self.tries.reset();
        }
    }
}
