//! What is going on, as rows: a pure fold of a [`Status`] and the [`Record`]s that follow it.
//!
//! Every display of `up`, `down`, `restart` and `run` shows one [`LiveModel`]. It knows neither
//! terminal nor clock: [`LiveModel::fold`] takes a record in and says what there is to show.

use std::collections::HashMap;

use super::steps::{StepState, Steps};
pub use super::{
    row::{Goal, Kind, Row},
    row_state::{Activity, RowOutcome, RowState},
};
use crate::{
    event::{Event, Record},
    model::{Exit, Hook, Stack, Text},
    reason::Notice,
    secrets,
    status::{Because, ServiceState, Status},
};

/// The widest that the column of names becomes.
const NAMES: usize = 24;

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
    /// A hook of the row failed, which ended nothing.
    HookFailed {
        /// The row.
        row: usize,
        /// Which.
        hook: Hook,
        /// How.
        exit: Exit,
    },
    /// Something that a user should know.
    Notice {
        /// About which service or task.
        name: Option<String>,
        /// What.
        notice: Notice,
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
            let what = match (service.state, &service.because) {
                (ServiceState::Starting, _) => Activity::Starting,
                (ServiceState::Stopping, _) => Activity::Stopping,
                (ServiceState::Unhealthy, Some(Because::Unhealthy { check, .. })) => {
                    Activity::Unhealthy(check.clone())
                }
                (
                    ServiceState::Idle
                    | ServiceState::Waiting
                    | ServiceState::Ready
                    | ServiceState::Unhealthy
                    | ServiceState::Backoff
                    | ServiceState::Exited
                    | ServiceState::Failed,
                    _,
                ) => continue,
            };
            if let (Some(place), Some(since)) = (self.places.get(&service.name), service.since) {
                self.rows[*place].go(what, since);
            }
        }
    }

    /// Takes a record in. `None`: there is nothing to show.
    pub fn fold(&mut self, record: &Record) -> Option<Change> {
        if let Event::Notice { notice } = &record.event {
            return Some(Change::Notice { name: record.name.clone(), notice: notice.clone() });
        }
        let index = self.index(record.name.as_deref()?, &record.event);
        let goal = self.goal;
        let row = &mut self.rows[index];
        let before = row.state.clone();
        // A `before-start` that fails is told as the end of the start, and tasks tell their steps.
        if let Event::Hook { hook, exit, .. } = &record.event
            && row.kind == Kind::Service
            && *hook != Hook::BeforeStart
            && *exit != Exit::SUCCESS
        {
            return Some(Change::HookFailed { row: index, hook: *hook, exit: *exit });
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
        if row.state == before || row.is_skipped_again() {
            return None;
        }
        match row.state {
            RowState::Quiet => None,
            RowState::Active(_) => Some(Change::Moved(index)),
            RowState::Ended(_) => Some(Change::Ended(index)),
        }
    }

    /// The rows that are on the way.
    pub fn moving(&self) -> impl Iterator<Item = (&Row, &Activity)> {
        self.rows.iter().filter_map(|row| match &row.state {
            RowState::Active(what) => Some((row, what)),
            RowState::Quiet | RowState::Ended(_) => None,
        })
    }

    /// How many rows have got where they should.
    pub fn count(&self) -> Count {
        let mut count = Count::default();
        for row in &self.rows {
            match &row.state {
                RowState::Quiet => continue,
                RowState::Active(_) => {}
                RowState::Ended(end) if end.is_bad() => count.bad += 1,
                RowState::Ended(_) => count.good += 1,
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
                | Event::Skipped
        );
        let kind = if task { Kind::Task } else { Kind::Service };
        self.add(Row { declared: false, ..Row::new(name, kind) })
    }
}
