//! What follows when a service ends otherwise than by a `stop`.

use serde::{Deserialize, Serialize};

use super::{
    Hook, Life, Phase, Step,
    backoff::{AFTER_START, BEFORE_READY, Verdict},
    millis,
};
use crate::{
    event::{Cause, Event},
    model::{Background, Exit, RestartWhen, Service, foreground},
};

/// Why a generation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
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

impl Ending {
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

impl std::fmt::Display for Ending {
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

impl Life {
    pub(super) fn note_exit(&mut self, exit: Exit, expected: bool, step: &mut Step<'_>) {
        self.exit = Some(exit);
        self.pid = None;
        self.started = None;
        self.publish(Event::Exited { exit, expected, tail: Vec::new() }, step);
    }

    pub(super) fn note_gone(&mut self, swept: usize, step: &mut Step<'_>) {
        self.pid = None;
        self.started = None;
        if swept > 0 {
            self.publish(Event::Swept { processes: swept }, step);
        }
    }

    /// Decides what follows an end, once nothing of it is left: started again after a pause,
    /// ended well, or failed.
    pub(super) fn judge(&mut self, ending: &Ending, step: &mut Step<'_>) {
        self.cause = ending.cause();
        self.ending = Some(ending.clone());
        let when = step.service.restart.when;
        match ending {
            Ending::Busy { port, .. } => self.fail(ending.to_string(), Some(*port), step),
            Ending::Background(left) => {
                let instead = foreground(step.service.command.as_ref(), left);
                self.fail(format!("{ending}: {instead}"), None, step);
            }
            Ending::Exit(exit)
                if exit.is_success(&step.service.succeeds_with) && when != RestartWhen::Always =>
            {
                match self.was_ready() {
                    true => self.enter(Phase::Exited {}, step.now),
                    // Its start has failed; another one would end as well.
                    false => self.fail(self.reason_of(ending, step.service), None, step),
                }
            }
            Ending::Exit(_)
            | Ending::Hook(_)
            | Ending::Start(_)
            | Ending::Unhealthy(_)
            | Ending::Memory(_)
            | Ending::OutOfMemory => {
                if when == RestartWhen::Never {
                    self.fail(self.reason_of(ending, step.service), None, step);
                } else {
                    self.try_again(ending, step);
                }
            }
        }
    }

    fn try_again(&mut self, ending: &Ending, step: &mut Step<'_>) {
        let policy = &step.service.restart;
        let reason = self.reason_of(ending, step.service);
        let was_ready = self.was_ready();
        let is_failure = match ending {
            Ending::Exit(exit) => self.is_failure(*exit, step.service),
            Ending::Hook(_)
            | Ending::Start(_)
            | Ending::Unhealthy(_)
            | Ending::Memory(_)
            | Ending::OutOfMemory
            | Ending::Background(_)
            | Ending::Busy { .. } => true,
        };
        let verdict = match is_failure {
            true => {
                let max = step.service.memory_max.filter(|_| matches!(ending, Ending::Memory(_)));
                // Never twice of the same size.
                let signature = max.map(|max| format!("memory above {} MiB", max >> 20));
                let signature = signature.as_ref().unwrap_or(&reason);
                self.tries.failed(signature, was_ready, policy, step.now)
            }
            false => Verdict::Again { delay: self.tries.ended(policy), attempt: 0 },
        };
        match verdict {
            Verdict::Again { delay, attempt } => {
                self.again = true;
                let phase = Phase::Backoff { until: step.now + delay, reason: reason.clone() };
                self.enter(phase, step.now);
                let (delay_ms, of) = (millis(delay), policy.tries);
                let event = Event::Backoff { reason, delay_ms, attempt, of };
                self.publish(event, step);
            }
            Verdict::Enough(mut reason) => {
                if let Some(said) = &self.last_words {
                    reason.push_str(&format!(", {said}"));
                }
                self.fail(reason, None, step);
            }
        }
    }

    /// Whether an end by itself is a failure: before it was ready any end is, that of its start.
    pub(super) fn is_failure(&self, exit: Exit, service: &Service) -> bool {
        !self.was_ready() || !exit.is_success(&service.succeeds_with)
    }

    /// An end before it was ready is named as one.
    fn reason_of(&self, ending: &Ending, service: &Service) -> String {
        match ending {
            Ending::Exit(exit) if !self.was_ready() => match service.is_checked() {
                true => format!("{exit}{BEFORE_READY}"),
                false => format!("{exit}{AFTER_START}"),
            },
            Ending::Exit(_)
            | Ending::Hook(_)
            | Ending::Start(_)
            | Ending::Unhealthy(_)
            | Ending::Memory(_)
            | Ending::OutOfMemory
            | Ending::Background(_)
            | Ending::Busy { .. } => ending.to_string(),
        }
    }

    fn fail(&mut self, reason: String, port: Option<u16>, step: &mut Step<'_>) {
        self.enter(Phase::Failed { reason: reason.clone(), port }, step.now);
        self.publish(Event::Failed { reason, tail: Vec::new() }, step);
        if !step.service.hooks.on_failure.is_empty() {
            self.run_beside(Hook::OnFailure, step);
        }
    }

    /// What stays up for long enough has made good its earlier failures.
    pub(super) fn forgive(&mut self, step: &Step<'_>) {
        let within = step.service.restart.within;
        let stayed = self.ready_at.filter(|_| self.is_proven());
        if stayed.is_some_and(|at| step.now.since(at) >= within) {
            self.tries.reset();
        }
    }
}
