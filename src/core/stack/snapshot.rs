//! The supervisor's memory beyond its own life.
//!
//! A snapshot is lines of JSON: what concerns the whole, the logical time, and one line for each
//! service and task that is not as new. A later line of a kind, or for the same name, replaces an
//! earlier one, so that what has changed can be appended to a snapshot instead of writing it anew.
//!
//! Open requests are not in it: their clients are gone, too.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    Supervisor,
    intent::Intent,
    node::{Node, Orders, Schedule, ServiceUnit, TaskUnit, Unit},
};
use crate::{
    core::lifecycle::{ServiceMachine, TaskMachine},
    graph::Id,
    model::{Service, Stack, Task, TaskBody},
};

/// The version of the snapshot's format.
const FORMAT: u32 = 2;

/// What to do to the snapshot that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotDelta {
    /// Nothing: it is up to date.
    Nothing,
    /// Append these lines.
    Lines(String),
    /// Write this in its place.
    Whole(String),
}

/// How far the snapshot that is kept has got.
#[derive(Debug, Clone, Default)]
pub(super) struct SnapshotProgress {
    /// The nodes that have changed since.
    changed: BTreeSet<Id>,
    /// What its latest line about the whole says; nothing if it must be written anew, as after a
    /// change of the nodes themselves.
    head: Option<Head>,
    moment: u64,
}

impl SnapshotProgress {
    /// Nodes have changed.
    pub(super) fn add(&mut self, changed: &BTreeSet<Id>) {
        self.changed.extend(changed);
    }

    /// The nodes are others now.
    pub(super) fn begin_anew(&mut self) {
        *self = Self::default();
    }
}

/// A line about the whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Head {
    format: u32,
    seed: u64,
    intent: Intent,
    /// The last generation of what is not there any more: numbers are never used twice.
    past: BTreeMap<String, u64>,
}

/// The line of the logical time.
#[derive(Debug, Serialize, Deserialize)]
struct Moment {
    moment: u64,
}

/// One line for a service or task.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    name: String,
    schedule: Schedule,
    unit: UnitLine,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum UnitLine {
    Service {
        machine: Box<ServiceMachine>,
        /// The definition in force, where the stack has another or none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        now: Option<Box<Service>>,
    },
    Task {
        run: Box<TaskMachine>,
        orders: Box<Orders>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        now: Option<Box<Task>>,
    },
}

impl Supervisor {
    /// Everything but the stack and the open requests, for [`Supervisor::restore`].
    pub fn snapshot(&self) -> String {
        let mut snapshot = json(&self.head()) + &self.moment_line();
        for node in self.nodes.iter().filter(|node| !is_new(node)) {
            snapshot.push_str(&json(&line_of(node)));
        }
        snapshot
    }

    /// What makes of the snapshot that was last made one that is as good as [`Supervisor::snapshot`].
    pub fn snapshot_delta(&mut self) -> SnapshotDelta {
        let head = self.head();
        let before = std::mem::replace(
            &mut self.snapshot_progress,
            SnapshotProgress {
                changed: BTreeSet::new(),
                head: Some(head.clone()),
                moment: self.moment,
            },
        );
        let Some(head_before) = before.head else { return SnapshotDelta::Whole(self.snapshot()) };
        let mut lines = String::new();
        if head != head_before {
            lines.push_str(&json(&head));
        }
        if self.moment != before.moment {
            lines.push_str(&self.moment_line());
        }
        for id in before.changed {
            lines.push_str(&json(&line_of(&self.nodes[id])));
        }
        if lines.is_empty() { SnapshotDelta::Nothing } else { SnapshotDelta::Lines(lines) }
    }

    /// The supervisor as it was when [`Supervisor::snapshot`] was made, without the requests that
    /// were open then. What became of its processes meanwhile is told by [`super::Input::Unit`]
    /// afterwards, as if it happened now; see [`Supervisor::resume`].
    ///
    /// # Errors
    /// A snapshot of another format.
    pub fn restore(stack: Stack, snapshot: &str) -> Result<Self, serde_json::Error> {
        let mut head: Option<Head> = None;
        let mut moment = 0;
        let mut lines: BTreeMap<String, Line> = BTreeMap::new();
        for line in snapshot.lines() {
            if line.starts_with("{\"format\"") {
                head = Some(serde_json::from_str(line)?);
            } else if line.starts_with("{\"moment\"") {
                moment = serde_json::from_str::<Moment>(line)?.moment;
            } else {
                let line: Line = serde_json::from_str(line)?;
                lines.insert(line.name.clone(), line);
            }
        }
        let Some(head) = head.filter(|head| head.format == FORMAT) else {
            return Err(serde::de::Error::custom("a snapshot of another format"));
        };
        let mut this = Self::new(stack, head.seed);
        this.moment = moment;
        this.intent = head.intent;
        this.past = head.past;
        for node in &mut this.nodes {
            if let Some(line) = lines.remove(&node.name) {
                *node = node_of(line, Some(node));
            }
        }
        let gone = lines.into_values().map(|line| node_of(line, None));
        this.nodes.extend(gone.filter(Node::is_live));
        this.rebuild();
        // A snapshot is made when nothing is left to do: nothing is news.
        this.changed.clear();
        Ok(this)
    }

    fn head(&self) -> Head {
        let (intent, past) = (self.intent.clone(), self.past.clone());
        Head { format: FORMAT, seed: self.seed, intent, past }
    }

    fn moment_line(&self) -> String {
        json(&Moment { moment: self.moment })
    }
}

/// Whether there is nothing to remember of it.
fn is_new(node: &Node) -> bool {
    node.generation() == 0
        && node.schedule == Schedule::default()
        && match &node.unit {
            Unit::Service(_) => true,
            Unit::Task(unit) => unit.orders == Orders::default(),
        }
}

fn line_of(node: &Node) -> Line {
    let differs = |same: bool| node.gone || !same;
    let unit = match &node.unit {
        Unit::Service(unit) => UnitLine::Service {
            machine: Box::new(unit.machine.clone()),
            now: differs(Arc::ptr_eq(&unit.now, &unit.next)).then(|| Box::new((*unit.now).clone())),
        },
        Unit::Task(unit) => UnitLine::Task {
            run: Box::new(unit.run.clone()),
            orders: Box::new(unit.orders.clone()),
            now: differs(Arc::ptr_eq(&unit.now, &unit.next)).then(|| Box::new((*unit.now).clone())),
        },
    };
    Line { name: node.name.clone(), schedule: node.schedule.clone(), unit }
}

/// The node of a line, with the newest definition of the one that the stack has.
fn node_of(line: Line, known: Option<&Node>) -> Node {
    let Line { name, schedule, unit } = line;
    let (unit, gone) = match unit {
        UnitLine::Service { machine, now } => {
            let now = now.map(|now| Arc::new(*now));
            let next = known.and_then(Node::as_service).map(|unit| Arc::clone(&unit.next));
            let gone = next.is_none();
            let unknown = || Arc::new(Service::new(name.clone(), "/"));
            let next = next.or_else(|| now.clone()).unwrap_or_else(unknown);
            let now = now.unwrap_or_else(|| Arc::clone(&next));
            (Unit::Service(Box::new(ServiceUnit { now, next, machine: *machine })), gone)
        }
        UnitLine::Task { run, orders, now } => {
            let now = now.map(|now| Arc::new(*now));
            let next = known.and_then(Node::as_task).map(|unit| Arc::clone(&unit.next));
            let gone = next.is_none();
            let unknown = || Arc::new(Task::new(name.clone(), "/", TaskBody::Steps(Vec::new())));
            let next = next.or_else(|| now.clone()).unwrap_or_else(unknown);
            let now = now.unwrap_or_else(|| Arc::clone(&next));
            (Unit::Task(Box::new(TaskUnit { now, next, run: *run, orders: *orders })), gone)
        }
    };
    Node { name, gone, wanted: false, whole: false, schedule, unit }
}

fn json(value: &impl Serialize) -> String {
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.push('\n');
    line
}
