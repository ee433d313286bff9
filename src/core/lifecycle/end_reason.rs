//! What follows when a service ends otherwise than by a `stop`.

use serde::{Deserialize, Serialize};

use super::{
    Phase, ServiceMachine, Transition,
    backoff::{AFTER_START, BEFORE_READY, Verdict},
    millis,
};
use crate::{
    event::{Cause, Event, Tick},
    model::{Background, Exit, Hook, RestartWhen, Service, foreground},
};

/// Why a generation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// Its main process ended by itself.
    Exit(Exit),
    /// Its main process ended well, and this one goes on in the background. Another start would do
    /// the same.
    Background(Background),
    /// Its `before-start` failed: nothing of the service itself was started.
    Hook(String),
    /// It did not get ready: at which stage, and why.
    Start(String),
    /// Its liveness checks failed.
    Unhealthy(String),
    /// Its tree used this many bytes.
    Memory(u64),
    /// The kernel killed it because memory ran out.
    OutOfMemory,
    /// Somebody else holds a port. Trying again would not help.
    Busy {
        /// The port.
        port: u16,
        /// Who.
        holder: String,
    },
}

impl EndReason {
    /// Why the ledger says that what follows happened.
    pub(super) fn cause(&self) -> Cause {
        match self {
            Self::Exit(_) | Self::Background(_) => Cause::Exit,
            Self::Hook(_) | Self::Start(_) | Self::Busy { .. } => Cause::Start,
            Self::Unhealthy(_) => Cause::Check,
            Self::Memory(_) | Self::OutOfMemory => Cause::Memory,
        }
    }
}

impl std::fmt::Display for EndReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exit(exit) => write!(f, "{exit}"),
            Self::Background(left) => write!(f, "it put itself into the background ({left})"),
            Self::Hook(reason) => write!(f, "before-start: {reason}"),
            Self::Start(reason) => f.write_str(reason),
            Self::Unhealthy(reason) => write!(f, "unhealthy ({reason})"),
            Self::Memory(bytes) => write!(f, "memory at {} MiB", bytes >> 20),
            Self::OutOfMemory => f.write_str("killed by the kernel: out of memory"),
            Self::Busy { port, holder } => write!(f, "port {port} is held by {holder}"),
        }
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
    pub(super) fn judge(&mut self, ending: &EndReason, transition: &mut Transition<'_>) {
        self.cause = ending.cause();
        self.ending = Some(ending.clone());
        let when = transition.service.restart.when;
        match ending {
            EndReason::Busy { port, .. } => self.fail(ending.to_string(), Some(*port), transition),
            EndReason::Background(left) => {
                let instead = foreground(transition.service.command.as_ref(), left);
                self.fail(format!("{ending}: {instead}"), None, transition);
            }
            EndReason::Exit(exit)
                if exit.is_success(&transition.service.succeeds_with)
                    && when != RestartWhen::Always =>
            {
                match self.was_ready() {
                    true => self.enter(Phase::Exited {}, transition.now),
                    // Its start has failed; another one would end as well.
                    false => {
                        self.fail(self.reason_of(ending, transition.service), None, transition);
                    }
                }
            }
            EndReason::Exit(_)
            | EndReason::Hook(_)
            | EndReason::Start(_)
            | EndReason::Unhealthy(_)
            | EndReason::Memory(_)
            | EndReason::OutOfMemory => {
                if when == RestartWhen::Never {
                    self.fail(self.reason_of(ending, transition.service), None, transition);
                } else {
                    self.try_again(ending, transition);
                }
            }
        }
    }

    fn try_again(&mut self, ending: &EndReason, transition: &mut Transition<'_>) {
        let policy = &transition.service.restart;
        let reason = self.reason_of(ending, transition.service);
        let was_ready = self.was_ready();
        let is_failure = match ending {
            EndReason::Exit(exit) => self.is_failure(*exit, transition.service),
            EndReason::Hook(_)
            | EndReason::Start(_)
            | EndReason::Unhealthy(_)
            | EndReason::Memory(_)
            | EndReason::OutOfMemory
            | EndReason::Background(_)
            | EndReason::Busy { .. } => true,
        };
        let verdict = match is_failure {
            true => {
                let max = transition
                    .service
                    .memory_max
                    .filter(|_| matches!(ending, EndReason::Memory(_)));
                // Never twice of the same size.
                let signature = max.map(|max| format!("memory above {} MiB", max >> 20));
                let signature = signature.as_ref().unwrap_or(&reason);
                self.tries.failed(signature, was_ready, policy, transition.now)
            }
            false => Verdict::Again { delay: self.tries.ended(policy), attempt: 0 },
        };
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
            Verdict::Enough(mut reason) => {
                if let Some(said) = &self.last_words {
                    reason.push_str(&format!(", {said}"));
                }
                self.fail(reason, None, transition);
            }
        }
    }

    /// Whether an end by itself is a failure: before it was ready any end is, that of its start.
    pub(super) fn is_failure(&self, exit: Exit, service: &Service) -> bool {
        !self.was_ready() || !exit.is_success(&service.succeeds_with)
    }

    /// An end before it was ready is named as one.
    fn reason_of(&self, ending: &EndReason, service: &Service) -> String {
        match ending {
            EndReason::Exit(exit) if !self.was_ready() => match service.is_checked() {
                true => format!("{exit}{BEFORE_READY}"),
                false => format!("{exit}{AFTER_START}"),
            },
            EndReason::Exit(_)
            | EndReason::Hook(_)
            | EndReason::Start(_)
            | EndReason::Unhealthy(_)
            | EndReason::Memory(_)
            | EndReason::OutOfMemory
            | EndReason::Background(_)
            | EndReason::Busy { .. } => ending.to_string(),
        }
    }

    fn fail(&mut self, reason: String, port: Option<u16>, transition: &mut Transition<'_>) {
        self.enter(Phase::Failed { reason: reason.clone(), port }, transition.now);
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
