//! The words in reasons: the system's errors, commands, lines of logs.

use super::Words;
use crate::{
    model::Background,
    reason::{
        Change, CheckAnswer, CheckLabel, FailedCheck, Failure, HookFailure, LastLine, Notice,
        PlanReason, PlanStep, Reason,
    },
    secrets::Masker,
    status::{Advice, Because, Evidence},
};

impl Words for Reason {
    fn mask(&mut self, masker: &Masker) {
        let Self { failure, repeated: _, last_line, on_failure } = self;
        failure.mask(masker);
        last_line.mask(masker);
        on_failure.mask(masker);
    }
}

impl Words for Failure {
    fn mask(&mut self, masker: &Masker) {
        match self {
            Self::Background { process, instead } => {
                process.mask(masker);
                masker.hide(instead);
            }
            Self::BeforeStart { how } => how.mask(masker),
            Self::NotReady { within_ms: _, check } => check.mask(masker),
            Self::Unhealthy { check } => check.mask(masker),
            Self::Step { step, error } => {
                masker.hide(step);
                masker.hide(error);
            }
            Self::TooLong { within_ms: _, step } => step.mask(masker),
            Self::NotStarted { error: text }
            | Self::PortHeld { port: _, holder: text }
            | Self::Other(text) => masker.hide(text),
            Self::Exited { exit: _, early: _ }
            | Self::Memory { bytes: _, max_bytes: _ }
            | Self::OutOfMemory
            | Self::Cancelled
            | Self::NotStopped { name: _ }
            | Self::NeedLost { name: _ } => {}
        }
    }
}

impl Words for Background {
    fn mask(&mut self, masker: &Masker) {
        let Self { pid: _, command } = self;
        masker.hide(command);
    }
}

impl Words for LastLine {
    fn mask(&mut self, masker: &Masker) {
        let Self { text, is_error: _ } = self;
        masker.hide(text);
    }
}

impl Words for HookFailure {
    fn mask(&mut self, masker: &Masker) {
        match self {
            Self::Error(error) => masker.hide(error),
            Self::Exit { exit: _ } | Self::TooLong | Self::Stuck => {}
        }
    }
}

impl Words for FailedCheck {
    fn mask(&mut self, masker: &Masker) {
        let Self { check, answer } = self;
        match check {
            CheckLabel::Http { target: text }
            | CheckLabel::Command { command: text }
            | CheckLabel::Prints { pattern: text }
            | CheckLabel::Other(text) => masker.hide(text),
            CheckLabel::Listening { ports: _ }
            | CheckLabel::Tcp { ports: _ }
            | CheckLabel::Notify
            | CheckLabel::Delay { delay_ms: _ }
            | CheckLabel::Foreground => {}
        }
        match answer {
            CheckAnswer::HeldByOther { port: _, holder: text } | CheckAnswer::Error(text) => {
                masker.hide(text);
            }
            CheckAnswer::Exit { exit: _, output } => output.mask(masker),
            CheckAnswer::Status { code: _ }
            | CheckAnswer::NothingListens { port: _, instead: _ }
            | CheckAnswer::OtherAddress { port: _, host: _, instead: _ }
            | CheckAnswer::NoAnswer { within_ms: _ }
            | CheckAnswer::NoLine
            | CheckAnswer::NotNotified
            | CheckAnswer::TooEarly => {}
        }
    }
}

impl Words for Notice {
    fn mask(&mut self, masker: &Masker) {
        match self {
            Self::Cleanup { error: text } | Self::Text(text) => masker.hide(text),
            Self::HookFailed { hook: _, how } => how.mask(masker),
            Self::Background { hook: _, process } => process.mask(masker),
            Self::Memory { bytes: _, max_bytes: _ }
            | Self::OutOfMemory
            | Self::PortsInUse
            | Self::HookTooLong { hook: _, within_ms: _ }
            | Self::NotRecorded => {}
        }
    }
}

impl Words for Because {
    fn mask(&mut self, masker: &Masker) {
        match self {
            Self::Checking { failed } => failed.mask(masker),
            Self::Unhealthy { check, restart_in_ms: _ } => check.mask(masker),
            Self::Stopping { stage: _, after } => after.mask(masker),
            Self::Stuck { processes } => processes.mask(masker),
            Self::Backoff { reason, again_in_ms: _ }
            | Self::Failed { reason }
            | Self::OnFailure { reason } => reason.mask(masker),
            Self::Step { step, number: _, of: _ } => masker.hide(step),
            Self::Waiting { on: _ }
            | Self::Blocked { by: _ }
            | Self::Held { by: _ }
            | Self::Starting { stage: _ }
            | Self::DefinitionLost
            | Self::Exited { exit: _ }
            | Self::Recording
            | Self::InputsUnchanged
            | Self::NothingRuns => {}
        }
    }
}

impl Words for Evidence {
    fn mask(&mut self, masker: &Masker) {
        match self {
            Self::Since { state: _, checked: _, for_ms: _, cause, after } => {
                cause.mask(masker);
                after.mask(masker);
            }
            Self::Check { failed } => failed.mask(masker),
            Self::Stuck { process: text } | Self::LogLine { text } => masker.hide(text),
            Self::Notice { notice } => notice.mask(masker),
            Self::Exit { exit: _ } | Self::Restarts { times: _ } => {}
        }
    }
}

impl Words for Advice {
    fn mask(&mut self, masker: &Masker) {
        match self {
            Self::Text(text) => masker.hide(text),
            Self::RaiseMemoryMax { max_bytes: _ }
            | Self::FreeMemory
            | Self::SetMemoryMax
            | Self::MakeTask
            | Self::OpenStdin
            | Self::StayInForeground
            | Self::ReadLog
            | Self::RelaxAlive { timeout_ms: _, failures: _ }
            | Self::CheckPath
            | Self::UseTty => {}
        }
    }
}

impl Words for PlanStep {
    fn mask(&mut self, masker: &Masker) {
        let Self { name: _, action: _, reason } = self;
        match reason {
            PlanReason::Edited { changes } => changes.mask(masker),
            PlanReason::Requested
            | PlanReason::NotRunning
            | PlanReason::NeededBy { name: _ }
            | PlanReason::Follows { name: _ }
            | PlanReason::Window { task: _ }
            | PlanReason::WindowOver { task: _ }
            | PlanReason::NotInFile
            | PlanReason::NeedStops { name: _ }
            | PlanReason::NotWanted
            | PlanReason::Already { state: _ } => {}
        }
    }
}

impl Words for Change {
    fn mask(&mut self, masker: &Masker) {
        let Self { key: _, from, to, takes_effect: _ } = self;
        from.mask(masker);
        to.mask(masker);
    }
}
