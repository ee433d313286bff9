//! One service or task on the screen: a pure fold of what records say of it.

use jiff::Timestamp;

use super::{
    row_state::{Activity, RowOutcome, RowState},
    steps::{StepState, Steps},
    wording,
};
use crate::{
    event::Event,
    model::{Exit, Signal},
    reason::Reason,
};

/// What the command that is watched is about: it decides which states are an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Everything ready: `up`, `restart`, and the services around a `run`.
    Up,
    /// Everything down.
    Down,
}

/// A service or a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A service.
    Service,
    /// A task.
    Task,
}

/// One service or task.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What it does.
    pub state: RowState,
    /// Since when it is on the way.
    pub began: Option<Timestamp>,
    /// Where to find it once it is ready.
    pub address: Option<String>,
    /// What the file says that it is.
    pub describe: Option<String>,
    /// Whether a check or a port tells when it is ready.
    pub checked: bool,
    /// Whether the stack has it (the file may have lost it).
    pub declared: bool,
    /// Whether its output is shown already, so that its last lines need not be.
    pub streamed: bool,
    /// The steps of a task.
    pub steps: Steps,
    /// Whether each of its steps has a line of its own: it is what the command is about.
    pub expanded: bool,
    /// The last lines of its output before its latest failure.
    pub(super) tail: Vec<String>,
    /// What went wrong with the try before this one.
    pub(super) gone_wrong: Option<Reason>,
    /// Whether it is known that it need not run: a crash loop has it looked at with each start.
    pub(super) skipped: bool,
}

impl Row {
    pub(super) fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            state: RowState::Quiet,
            began: None,
            address: None,
            describe: None,
            checked: true,
            declared: true,
            streamed: false,
            steps: Steps::default(),
            expanded: false,
            tail: Vec::new(),
            gone_wrong: None,
            skipped: false,
        }
    }

    /// Takes in what happened to it.
    pub(super) fn take(&mut self, event: &Event, at: Timestamp, goal: Goal) {
        match event {
            Event::Waiting { on } => self.go(Activity::Waiting(on.clone()), at),
            Event::Starting | Event::Running { .. } => {
                self.began = Some(at);
                if *event == Event::Starting {
                    self.steps.begin();
                }
                self.state = RowState::Active(match (self.kind, event) {
                    (Kind::Service, _) | (Kind::Task, Event::Starting) => Activity::Starting,
                    (Kind::Task, _) => Activity::Running { step: None },
                });
            }
            Event::Spawned { .. } => self.go(Activity::Starting, at),
            Event::Checked { failed } => {
                // A check of a service that is ready belongs to its health, not to its start.
                if let RowState::Active(_) = self.state {
                    self.go(Activity::Checking(failed.clone()), at);
                }
            }
            Event::Ready { after_ms, checked, address, unhealthy_ms } => {
                self.checked = *checked;
                // What the file leaves open is known by now.
                if address.is_some() {
                    self.address.clone_from(address);
                }
                let after = self.gone_wrong.take();
                self.settle(match unhealthy_ms {
                    Some(unhealthy_ms) => RowOutcome::Healthy { unhealthy_ms: *unhealthy_ms },
                    None => RowOutcome::Ready { after_ms: *after_ms, checked: *checked, after },
                });
            }
            Event::Unhealthy { check } => self.go(Activity::Unhealthy(check.clone()), at),
            Event::Stopping => {
                self.began = Some(at);
                self.state = RowState::Active(Activity::Stopping);
            }
            Event::Signalled { signal, .. } => {
                if *signal == Signal::KILL && self.state == RowState::Active(Activity::Stopping) {
                    self.state = RowState::Active(Activity::Killing);
                }
            }
            Event::Exited { exit, expected, tail } => self.ended(*exit, *expected, tail, at),
            Event::Stopped => self.stopped(at, goal),
            Event::Stuck { processes } => self.settle(RowOutcome::Stuck(processes.clone())),
            Event::Backoff { reason, delay_ms, attempt, of } => {
                let (delay_ms, attempt, of) = (*delay_ms, *attempt, *of);
                self.gone_wrong = Some(reason.clone());
                self.go(Activity::Backoff { reason: reason.clone(), delay_ms, attempt, of }, at);
            }
            Event::Failed { reason, tail } => {
                let kept = std::mem::take(&mut self.tail);
                let tail = match (self.streamed, tail.is_empty()) {
                    (true, _) => Vec::new(),
                    (false, true) => kept,
                    (false, false) => tail.clone(),
                };
                self.settle(RowOutcome::Failed { reason: reason.clone(), tail });
            }
            Event::Step { step, on_failure } => {
                let place = self.steps.set(step, *on_failure, StepState::Running { since: at });
                self.go(Activity::Running { step: Some(self.steps.placed(place)) }, at);
            }
            Event::Done { after_ms } => self.settle(RowOutcome::Done { after_ms: *after_ms }),
            Event::Skipped => self.settle(RowOutcome::Skipped),
            Event::SupervisorStarted { .. }
            | Event::StepEnded { .. }
            | Event::Applied { .. }
            | Event::Swept { .. }
            | Event::Hook { .. }
            | Event::Notice { .. }
            | Event::Down => {}
        }
    }

    /// Whether nothing is new: it was skipped, and is looked at again or skipped once more.
    pub(super) fn is_skipped_again(&mut self) -> bool {
        let before = self.skipped;
        self.skipped = match &self.state {
            RowState::Ended(RowOutcome::Skipped) => true,
            RowState::Ended(_) | RowState::Active(Activity::Running { .. }) => false,
            RowState::Quiet | RowState::Active(_) => before,
        };
        before && self.skipped
    }

    pub(super) fn go(&mut self, what: Activity, at: Timestamp) {
        if !matches!(self.state, RowState::Active(_)) {
            self.began = Some(at);
        }
        self.state = RowState::Active(what);
    }

    fn settle(&mut self, end: RowOutcome) {
        self.state = RowState::Ended(end);
        self.gone_wrong = None;
    }

    fn ended(&mut self, exit: Exit, expected: bool, tail: &[String], at: Timestamp) {
        if !tail.is_empty() {
            self.tail = tail.to_vec();
        }
        match (&self.state, self.kind) {
            // The end of a stop is `Stopped`: the rest of the tree may still live.
            (RowState::Active(Activity::Stopping | Activity::Killing), _) => {}
            // A task's end is `Done` or `Failed`.
            (_, Kind::Task) => {}
            (_, Kind::Service) if expected => self.settle(RowOutcome::Exited(exit)),
            (_, Kind::Service) => self.go(Activity::Ended(exit), at),
        }
    }

    fn stopped(&mut self, at: Timestamp, goal: Goal) {
        let stopping =
            matches!(self.state, RowState::Active(Activity::Stopping | Activity::Killing));
        match (goal, self.declared) {
            (Goal::Down, _) | (Goal::Up, false) => {
                let began = self.began.filter(|_| stopping);
                let after = began.map(|began| wording::between(began, at));
                let after_ms = after.and_then(|after| u64::try_from(after.as_millis()).ok());
                self.settle(RowOutcome::Stopped { after_ms });
            }
            // It comes back: what follows says when.
            (Goal::Up, true) if stopping => self.state = RowState::Quiet,
            (Goal::Up, true) => {}
        }
    }
}
