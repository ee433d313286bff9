//! What a task writes, and the steps below it.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use crate::{
    cli::{connect::stack_dir, error::Error, output::write_out},
    event::{Event, Record},
    logs::{Follower, Log},
    model::{Task, TaskBody},
    platform::StackPaths,
    reporters::Reporter,
};

/// The task's output, from its log to standard output, byte by byte.
pub(super) struct Output {
    task: String,
    follower: Follower,
    /// Whether its steps are shown below its output.
    has_steps: bool,
    /// Whether the output and the steps share a terminal.
    shares: bool,
    /// The beginning of a line that is not whole yet.
    begun: Vec<u8>,
    /// Whether the last line that was written is not whole.
    open: bool,
    /// The last record that was seen.
    seen: u64,
}

impl Output {
    pub(super) fn of(places: &StackPaths, task: &Task) -> Result<Self, Error> {
        let log = Log::new(&stack_dir(places)?.logs, &task.name);
        Ok(Self {
            task: task.name.clone(),
            follower: Follower::from_end(&log),
            has_steps: matches!(task.body, TaskBody::Steps(_)),
            shares: io::stdout().is_terminal() && io::stderr().is_terminal(),
            begun: Vec::new(),
            open: false,
            seen: 0,
        })
    }

    /// Whether who sees the steps sees the output, too.
    pub(super) fn is_seen(&self) -> bool {
        self.shares || !io::stderr().is_terminal()
    }

    /// Shows what has come: all of it before the record that tells of an end.
    pub(super) fn show(
        &mut self,
        reporter: &mut Reporter,
        record: Option<&Record>,
    ) -> Result<(), Error> {
        self.seen = record.map_or(self.seen, |record| record.seq);
        let of_task = record.filter(|record| record.name.as_deref() == Some(&*self.task));
        match of_task.map(|record| &record.event) {
            // Once the task itself runs the screen is its own.
            Some(Event::Running { .. }) if !self.has_steps => reporter.finish(),
            Some(Event::StepEnded { .. } | Event::Done { .. } | Event::Failed { .. }) => {
                return self.finish(reporter);
            }
            Some(_) | None => {}
        }
        self.copy(reporter).map(|_| ())
    }

    /// The number of the last record that was shown.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    fn copy(&mut self, reporter: &Reporter) -> Result<bool, Error> {
        let bytes = self.follower.bytes();
        if bytes.is_empty() {
            return Ok(false);
        }
        if !(self.shares && reporter.is_live()) {
            write_out(&bytes)?;
            self.open = !bytes.ends_with(b"\n");
            return Ok(true);
        }
        // Whole lines: what moves would be drawn over the beginning of one.
        self.begun.extend(bytes);
        if let Some(end) = memchr::memrchr(b'\n', &self.begun) {
            let rest = self.begun.split_off(end + 1);
            let lines = std::mem::replace(&mut self.begun, rest);
            reporter.beside(|| write_out(&lines))?;
        }
        Ok(true)
    }

    /// The rest: what the task wrote last may be on its way to the log still.
    pub(super) fn finish(&mut self, reporter: &Reporter) -> Result<(), Error> {
        while self.copy(reporter)? {}
        std::thread::sleep(Duration::from_millis(20));
        while self.copy(reporter)? {}
        if !self.begun.is_empty() {
            let mut line = std::mem::take(&mut self.begun);
            if reporter.is_live() {
                line.push(b'\n');
            }
            reporter.beside(|| write_out(&line))?;
            self.open = !line.ends_with(b"\n");
        }
        // What is said next on the same terminal begins a line; elsewhere every byte is the task's.
        if self.shares && std::mem::take(&mut self.open) {
            write_out(b"\n")?;
        }
        Ok(())
    }
}
