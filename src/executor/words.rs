//! The words in what leaves the supervisor, for the ledger and for clients: secrets are masked in
//! them, whatever put them there.
//!
//! Everything is taken apart by name, so that what is added is either masked or called something
//! that never is: a name, a number, a state, a port, a path. Reasons are in [`reasons`].

mod reasons;

use crate::{
    control::protocol::{Left, Reply},
    core::plan::Plan,
    core::stack::{ItemOutcome, ItemResult, Outcome, Why, WhyLink},
    event::{Cause, Event, Record},
    secrets::Masker,
    status::{ServiceStatus, Status, TaskStatus},
};

/// What has words in it.
pub(super) trait Words {
    /// Masks the secrets in them.
    fn mask(&mut self, masker: &Masker);
}

impl Words for Record {
    fn mask(&mut self, masker: &Masker) {
        let Self { seq: _, at: _, tick: _, event, name: _, generation: _, cause } = self;
        event.mask(masker);
        cause.mask(masker);
    }
}

impl Words for Event {
    fn mask(&mut self, masker: &Masker) {
        match self {
            Self::Applied { steps } => steps.mask(masker),
            Self::Stuck { processes } => processes.mask(masker),
            Self::Checked { failed: check } | Self::Unhealthy { check } => check.mask(masker),
            Self::Ready { after_ms: _, address, unhealthy_ms: _, checked: _ } => {
                address.iter_mut().for_each(|address| masker.hide_in_url(address));
            }
            Self::Exited { exit: _, expected: _, tail } => tail.mask(masker),
            Self::Failed { reason, tail } => {
                reason.mask(masker);
                tail.mask(masker);
            }
            Self::Backoff { reason, delay_ms: _, attempt: _, of: _ } => reason.mask(masker),
            Self::Notice { notice } => notice.mask(masker),
            Self::Step { step, on_failure: _ } => masker.hide(step),
            Self::StepEnded { step, on_failure: _, exit: _, after_ms: _, failed } => {
                masker.hide(step);
                failed.mask(masker);
            }
            Self::SupervisorStarted { pid: _, version: _, took_over: _ }
            | Self::Waiting { on: _ }
            | Self::Starting
            | Self::Spawned { pid: _, log: _ }
            | Self::Stopping
            | Self::Signalled { signal: _, tree: _ }
            | Self::Swept { processes: _ }
            | Self::Stopped
            | Self::Running { pid: _, log: _ }
            | Self::Done { after_ms: _ }
            | Self::Skipped
            | Self::Hook { hook: _, commands: _, exit: _ }
            | Self::Down => {}
        }
    }
}

impl Words for Cause {
    fn mask(&mut self, masker: &Masker) {
        match self {
            Self::Command { command, pid: _ } => masker.hide(command),
            Self::Need { of: _ }
            | Self::Edit { keys: _ }
            | Self::Follow { of: _ }
            | Self::Exit
            | Self::Start
            | Self::Check
            | Self::Memory
            | Self::Watch { path: _ }
            | Self::Schedule
            | Self::Window { task: _ }
            | Self::Supervisor => {}
        }
    }
}

impl Words for Status {
    fn mask(&mut self, masker: &Masker) {
        let Self { format: _, stack: _, file: _, supervisor: _, services, tasks, notices } = self;
        services.iter_mut().for_each(|service| service.mask(masker));
        tasks.iter_mut().for_each(|task| task.mask(masker));
        notices.mask(masker);
    }
}

impl Words for ServiceStatus {
    fn mask(&mut self, masker: &Masker) {
        let Self {
            name: _,
            state: _,
            checked: _,
            proven: _,
            wanted: _,
            because,
            pid: _,
            generation: _,
            ports: _,
            since: _,
            uptime_ms: _,
            restarts: _,
            exit: _,
            processes: _,
            memory_bytes: _,
            cpu_percent: _,
            needs: _,
            url,
            describe,
            notices,
        } = self;
        because.mask(masker);
        url.iter_mut().for_each(|url| masker.hide_in_url(url));
        describe.mask(masker);
        notices.mask(masker);
    }
}

impl Words for TaskStatus {
    fn mask(&mut self, masker: &Masker) {
        let Self {
            name: _,
            state: _,
            wanted: _,
            because,
            exit: _,
            since: _,
            next: _,
            needs: _,
            describe,
        } = self;
        because.mask(masker);
        describe.mask(masker);
    }
}

impl Words for Why {
    fn mask(&mut self, masker: &Masker) {
        let Self { links } = self;
        for link in links {
            let WhyLink {
                name: _,
                state: _,
                checked: _,
                because,
                evidence,
                setting: _,
                advice,
                next,
            } = link;
            because.mask(masker);
            evidence.mask(masker);
            advice.mask(masker);
            next.mask(masker);
        }
    }
}

impl Words for Plan {
    fn mask(&mut self, masker: &Masker) {
        let Self { steps } = self;
        steps.mask(masker);
    }
}

impl Words for Outcome {
    fn mask(&mut self, masker: &Masker) {
        // What is refused is told by names alone.
        let Self { results, refused: _, superseded: _ } = self;
        for ItemResult { name: _, how } in results {
            match how {
                ItemOutcome::Failed { reason, exit: _ } => reason.mask(masker),
                ItemOutcome::Stuck { processes } => processes.mask(masker),
                ItemOutcome::Unchanged
                | ItemOutcome::Ready { after_ms: _ }
                | ItemOutcome::Skipped
                | ItemOutcome::Ended { exit: _ }
                | ItemOutcome::Stopped
                | ItemOutcome::Blocked { by: _ }
                | ItemOutcome::Superseded => {}
            }
        }
    }
}

impl Words for Left {
    fn mask(&mut self, masker: &Masker) {
        let Self { processes, ports: _, proved: _, unproved } = self;
        processes.mask(masker);
        unproved.mask(masker);
    }
}

impl Words for Reply {
    fn mask(&mut self, masker: &Masker) {
        match self {
            Self::Status { status } => status.mask(masker),
            Self::Record { record } => record.mask(masker),
            Self::Outcome { outcome, left, status } => {
                outcome.mask(masker);
                left.iter_mut().for_each(|left| left.mask(masker));
                status.iter_mut().for_each(|status| status.mask(masker));
            }
            Self::Plan { plan } => plan.mask(masker),
            Self::Why { why } => why.mask(masker),
            Self::Error { message } => masker.hide(message),
            // No words, but what commands are run with: `exec`, `env`, `show`.
            Self::Stack { stack: _ } | Self::Environment { env: _, dir: _, user: _ } => {}
            Self::Hello { protocol: _, version: _, pid: _, keeper: _, used: _ }
            | Self::Skipped { records: _ }
            | Self::Ok
            | Self::Owners { .. }
            | Self::End => {}
        }
    }
}

impl Words for String {
    fn mask(&mut self, masker: &Masker) {
        masker.hide(self);
    }
}

impl<W: Words> Words for Vec<W> {
    fn mask(&mut self, masker: &Masker) {
        self.iter_mut().for_each(|one| one.mask(masker));
    }
}

impl<W: Words> Words for Option<W> {
    fn mask(&mut self, masker: &Masker) {
        self.iter_mut().for_each(|one| one.mask(masker));
    }
}
