//! What is going on, as rows: a pure fold of a [`Status`] and the [`Record`]s that follow it.
//!
//! Every display of `up`, `down`, `restart` and `run` shows one [`LiveModel`]. It knows neither
//! terminal nor clock: [`LiveModel::fold`] takes a record in and says what there is to show.

use std::collections::HashMap;

use jiff::Timestamp;

pub use super::phase::{End, Move, Phase};
use super::steps::{StepState, Steps};
use crate::{
    event::{Event, Record},
    model::{Exit, Hook, Signal, Stack, Text},
    secrets,
    status::{ServiceState, Status},
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

/// The widest that the column of names becomes.
const NAMES: usize = 24;

/// One service or task.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What it does.
    pub phase: Phase,
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
    tail: Vec<String>,
    /// What went wrong with the try before this one.
    gone_wrong: Option<String>,
    /// Whether it is known that it need not run: a crash loop has it looked at with each start.
    skipped: bool,
}

/// What a record changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The row is on the way and does something else now.
    Moved(usize),
    /// The row ended up somewhere.
    Ended(usize),
    /// A step of the row ended.
    StepEnded {
        /// The row.
        row: usize,
        /// The step.
        step: usize,
    },
    /// Something that a person should know.
    Notice {
        /// About which service or task.
        name: Option<String>,
        /// What.
        text: String,
    },
}

/// How many rows have got where they should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// That many have.
    pub good: usize,
    /// That many have failed.
    pub bad: usize,
    /// Of all that this command has touched.
    pub all: usize,
}

/// All rows of a stack, in the order of its file.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveModel {
    /// What the command is about.
    pub goal: Goal,
    /// The services and tasks.
    pub rows: Vec<Row>,
    /// The place of each in `rows`.
    places: HashMap<String, usize>,
    /// The width of the column of names: of all of them, so that it changes only with them.
    name_width: usize,
}

impl LiveModel {
    /// A board of a stack that is about to be applied.
    pub fn of_stack(stack: &Stack, goal: Goal) -> Self {
        // Before anything is cut to fit.
        let masker = secrets::masker();
        let masked = |text: &Text| masker.text(&text.to_string()).into_owned();
        let services = stack.services.iter().map(|service| Row {
            address: super::address::of_service(service).map(|mut address| {
                masker.hide_in_url(&mut address);
                address
            }),
            checked: service.is_checked(),
            describe: service.describe.as_ref().map(masked),
            ..Row::new(&service.name, Kind::Service)
        });
        let tasks = stack.tasks.iter().map(|task| Row {
            describe: task.describe.as_ref().map(masked),
            steps: Steps::of(task),
            ..Row::new(&task.name, Kind::Task)
        });
        Self::of_rows(goal, services.chain(tasks))
    }

    /// A board of a stack that runs.
    pub fn of_status(status: &Status, goal: Goal) -> Self {
        let services = status.services.iter().map(|service| Row {
            address: super::address::of_status(service),
            checked: service.checked,
            describe: service.describe.clone(),
            ..Row::new(&service.name, Kind::Service)
        });
        let tasks = status.tasks.iter().map(|task| Row::new(&task.name, Kind::Task));
        Self::of_rows(goal, services.chain(tasks))
    }

    fn of_rows(goal: Goal, rows: impl Iterator<Item = Row>) -> Self {
        let mut board = Self { goal, rows: Vec::new(), places: HashMap::new(), name_width: 0 };
        for row in rows {
            board.add(row);
        }
        board
    }

    /// Adds a row; its place.
    fn add(&mut self, row: Row) -> usize {
        let place = self.rows.len();
        self.name_width = self.name_width.max(console::measure_text_width(&row.name));
        self.places.insert(row.name.clone(), place);
        self.rows.push(row);
        place
    }

    /// Adds what runs and stands in the file no more: it is about to be stopped.
    pub fn add_undeclared(&mut self, status: &Status) {
        for mut row in Self::of_status(status, self.goal).rows {
            if self.row(&row.name).is_none() {
                row.declared = false;
                self.add(row);
            }
        }
    }

    /// Shows what was on its way before, of which no record comes that says so.
    pub fn join(&mut self, status: &Status) {
        for service in &status.services {
            let what = match service.state {
                ServiceState::Starting => Move::Starting,
                ServiceState::Stopping => Move::Stopping,
                ServiceState::Unhealthy => {
                    Move::Unhealthy(service.reason.clone().unwrap_or_default())
                }
                ServiceState::Idle
                | ServiceState::Waiting
                | ServiceState::Ready
                | ServiceState::Backoff
                | ServiceState::Exited
                | ServiceState::Failed => continue,
            };
            if let (Some(place), Some(since)) = (self.places.get(&service.name), service.since) {
                self.rows[*place].go(what, since);
            }
        }
    }

    /// Takes a record in. `None`: there is nothing to show.
    pub fn fold(&mut self, record: &Record) -> Option<Change> {
        if let Event::Notice { text } = &record.event {
            return Some(Change::Notice { name: record.name.clone(), text: text.clone() });
        }
        let index = self.index(record.name.as_deref()?, &record.event);
        let goal = self.goal;
        let row = &mut self.rows[index];
        let before = row.phase.clone();
        // A `before-start` that fails is told as the end of the start, and tasks tell their steps.
        if let Event::Hook { hook, exit, .. } = &record.event
            && row.kind == Kind::Service
            && *hook != Hook::BeforeStart
            && !exit.is_success(&[])
        {
            let text = format!("{hook}: {exit} (`stackrun logs {}` has what it said)", row.name);
            return Some(Change::Notice { name: record.name.clone(), text });
        }
        if let Event::StepEnded { step, on_failure, after_ms, failed, .. } = &record.event {
            let after_ms = *after_ms;
            let state = match failed.clone() {
                None => StepState::Done { after_ms },
                Some(why) => StepState::Failed { after_ms, why },
            };
            let step = row.steps.set(step, *on_failure, state);
            return Some(Change::StepEnded { row: index, step });
        }
        row.take(&record.event, record.at, goal);
        if row.phase == before || row.is_skipped_again() {
            return None;
        }
        match row.phase {
            Phase::Quiet => None,
            Phase::Moving(_) => Some(Change::Moved(index)),
            Phase::Ended(_) => Some(Change::Ended(index)),
        }
    }

    /// The rows that are on the way.
    pub fn moving(&self) -> impl Iterator<Item = (&Row, &Move)> {
        self.rows.iter().filter_map(|row| match &row.phase {
            Phase::Moving(what) => Some((row, what)),
            Phase::Quiet | Phase::Ended(_) => None,
        })
    }

    /// How many rows have got where they should.
    pub fn count(&self) -> Count {
        let mut count = Count::default();
        for row in &self.rows {
            match &row.phase {
                Phase::Quiet => continue,
                Phase::Moving(_) => {}
                Phase::Ended(end) if end.is_bad() => count.bad += 1,
                Phase::Ended(_) => count.good += 1,
            }
            count.all += 1;
        }
        count
    }

    /// The width of the column of names; longer ones stick out.
    pub fn name_width(&self) -> usize {
        self.name_width.min(NAMES)
    }

    /// The row of that name.
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.places.get(name).map(|&place| &self.rows[place])
    }

    fn index(&mut self, name: &str, event: &Event) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        // Not in the file any more: it is being stopped because of that.
        let task = matches!(
            event,
            Event::Running { .. }
                | Event::Step { .. }
                | Event::StepEnded { .. }
                | Event::Done { .. }
                | Event::Skipped { .. }
        );
        let kind = if task { Kind::Task } else { Kind::Service };
        self.add(Row { declared: false, ..Row::new(name, kind) })
    }
}

impl Row {
    fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            phase: Phase::Quiet,
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

    fn take(&mut self, event: &Event, at: Timestamp, goal: Goal) {
        match event {
            Event::Waiting { on } => self.go(Move::Waiting(on.clone()), at),
            Event::Starting | Event::Running { .. } => {
                self.began = Some(at);
                if *event == Event::Starting {
                    self.steps.begin();
                }
                self.phase = Phase::Moving(match (self.kind, event) {
                    (Kind::Service, _) | (Kind::Task, Event::Starting) => Move::Starting,
                    (Kind::Task, _) => Move::Running { step: None },
                });
            }
            Event::Spawned { .. } => self.go(Move::Starting, at),
            Event::Checked { check, answer } => {
                // A check of a service that is ready belongs to its health, not to its start.
                if let Phase::Moving(_) = self.phase {
                    let (check, answer) = (check.clone(), answer.clone());
                    self.go(Move::Checking { check, answer }, at);
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
                    Some(unhealthy_ms) => End::Healthy { unhealthy_ms: *unhealthy_ms },
                    None => End::Ready { after_ms: *after_ms, checked: *checked, after },
                });
            }
            Event::Unhealthy { reason } => self.go(Move::Unhealthy(reason.clone()), at),
            Event::Stopping => {
                self.began = Some(at);
                self.phase = Phase::Moving(Move::Stopping);
            }
            Event::Signalled { signal, .. } => {
                if *signal == Signal::KILL && self.phase == Phase::Moving(Move::Stopping) {
                    self.phase = Phase::Moving(Move::Killing);
                }
            }
            Event::Exited { exit, expected, tail } => self.ended(*exit, *expected, tail, at),
            Event::Stopped => self.stopped(at, goal),
            Event::Stuck { processes } => self.settle(End::Stuck(processes.clone())),
            Event::Backoff { reason, delay_ms, attempt, of } => {
                let (delay_ms, attempt, of) = (*delay_ms, *attempt, *of);
                self.gone_wrong = Some(reason.clone());
                self.go(Move::Backoff { reason: reason.clone(), delay_ms, attempt, of }, at);
            }
            Event::Failed { reason, tail } => {
                let kept = std::mem::take(&mut self.tail);
                let tail = match (self.streamed, tail.is_empty()) {
                    (true, _) => Vec::new(),
                    (false, true) => kept,
                    (false, false) => tail.clone(),
                };
                self.settle(End::Failed { reason: reason.clone(), tail });
            }
            Event::Step { step, on_failure } => {
                let place = self.steps.set(step, *on_failure, StepState::Running { since: at });
                self.go(Move::Running { step: Some(self.steps.placed(place)) }, at);
            }
            Event::Done { after_ms } => self.settle(End::Done { after_ms: *after_ms }),
            Event::Skipped { reason } => self.settle(End::Skipped(reason.clone())),
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
    fn is_skipped_again(&mut self) -> bool {
        let before = self.skipped;
        self.skipped = match &self.phase {
            Phase::Ended(End::Skipped(_)) => true,
            Phase::Ended(_) | Phase::Moving(Move::Running { .. }) => false,
            Phase::Quiet | Phase::Moving(_) => before,
        };
        before && self.skipped
    }

    fn go(&mut self, what: Move, at: Timestamp) {
        if !matches!(self.phase, Phase::Moving(_)) {
            self.began = Some(at);
        }
        self.phase = Phase::Moving(what);
    }

    fn settle(&mut self, end: End) {
        self.phase = Phase::Ended(end);
        self.gone_wrong = None;
    }

    fn ended(&mut self, exit: Exit, expected: bool, tail: &[String], at: Timestamp) {
        if !tail.is_empty() {
            self.tail = tail.to_vec();
        }
        match (&self.phase, self.kind) {
            // The end of a stop is `Stopped`: the rest of the tree may still live.
            (Phase::Moving(Move::Stopping | Move::Killing), _) => {}
            // A task's end is `Done` or `Failed`.
            (_, Kind::Task) => {}
            (_, Kind::Service) if expected => self.settle(End::Exited(exit)),
            (_, Kind::Service) => self.go(Move::Ended(exit), at),
        }
    }

    fn stopped(&mut self, at: Timestamp, goal: Goal) {
        let stopping = matches!(self.phase, Phase::Moving(Move::Stopping | Move::Killing));
        match (goal, self.declared) {
            (Goal::Down, _) | (Goal::Up, false) => {
                let began = self.began.filter(|_| stopping);
                let after = began.map(|began| super::words::between(began, at));
                let after_ms = after.and_then(|after| u64::try_from(after.as_millis()).ok());
                self.settle(End::Stopped { after_ms });
            }
            // It comes back: what follows says when.
            (Goal::Up, true) if stopping => self.phase = Phase::Quiet,
            (Goal::Up, true) => {}
        }
    }
}
