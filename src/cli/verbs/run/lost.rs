//! A run whose supervisor was killed: it goes on, and the next supervisor knows of it.

use std::{path::Path, time::Duration};

use super::Output;
use crate::{
    cli::{
        caller,
        context::status_of,
        conversation::{Ended, OnInterrupt, carry_out},
        error::Error,
    },
    control::{Client, Reply, Request},
    event::{Cause, Event, Record},
    model::{Exit, Task},
    reporters::Reporter,
    status::{ServiceState, Status, TaskState},
    supervisor::{Command, How, Outcome, Settled, Until},
};

/// How often, and after which pause, another supervisor is looked for.
const REJOINS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// A run that goes on.
pub(super) struct Lost<'a> {
    pub(super) task: &'a Task,
    /// The stack before the run.
    pub(super) before: &'a Status,
    pub(super) output: &'a mut Output,
    /// What the ledger says of the run.
    found: Found,
}

/// What the ledger says of a run.
#[derive(Debug, Default)]
struct Found {
    /// How its main process ended.
    exit: Option<Exit>,
    /// How it ended.
    end: Option<How>,
}

impl Found {
    /// Takes in a record of this very run.
    fn take(&mut self, event: &Event) {
        match event {
            Event::Starting => *self = Self::default(),
            Event::Exited { exit, .. } => self.exit = Some(*exit),
            Event::Done { after_ms } => self.end = Some(How::Ready { after_ms: *after_ms }),
            Event::Skipped { .. } => self.end = Some(How::Skipped),
            Event::Failed { reason, .. } => {
                let reason = reason.clone();
                self.end = Some(How::Failed { reason, exit: self.exit, port: None });
            }
            _ => {}
        }
    }
}

impl<'a> Lost<'a> {
    pub(super) fn new(task: &'a Task, before: &'a Status, output: &'a mut Output) -> Self {
        Self { task, before, output, found: Found::default() }
    }

    /// Waits for the run's end, and for what its window held down.
    pub(super) fn rejoin(&mut self, dir: &Path, reporter: &mut Reporter) -> Result<Ended, Error> {
        for _ in 0..REJOINS {
            let ended = match Client::connect_or_launch(dir) {
                Ok(mut client) => self.follow(&mut client, reporter),
                Err(error) => Err(error.into()),
            };
            match ended {
                // Killed once more, or not there yet.
                Err(Error::Client(_)) => std::thread::sleep(PAUSE),
                ended => return ended,
            }
        }
        Err(Error::Other(format!("{} goes on, but nobody can be asked about it", self.task.name)))
    }

    fn follow(&mut self, client: &mut Client, reporter: &mut Reporter) -> Result<Ended, Error> {
        self.catch_up(client, reporter)?;
        let name = self.task.name.clone();
        let mut outcome = match self.found.end.take() {
            Some(how) => {
                let results = vec![Settled { name, how }];
                Outcome { results, ..Outcome::default() }
            }
            None => {
                let status = status_of(client)?;
                let known = status.tasks.iter().find(|known| known.name == name);
                let states = [TaskState::Waiting, TaskState::Running];
                if !known.is_some_and(|known| states.contains(&known.state)) {
                    let text = format!("{name} was not run: who was asked was killed");
                    return Err(Error::Other(text));
                }
                match self.wait(client, reporter, vec![name])? {
                    Ended::Outcome { outcome, .. } => outcome,
                    ended @ Ended::Early(_) => return Ok(ended),
                }
            }
        };
        let up = self.before.services.iter().filter(|service| service.state == ServiceState::Ready);
        let up: Vec<String> = up.map(|service| service.name.clone()).collect();
        if !up.is_empty() {
            match self.wait(client, reporter, up)? {
                Ended::Outcome { outcome: back, .. } => outcome.results.extend(back.results),
                ended @ Ended::Early(_) => return Ok(ended),
            }
        }
        Ok(Ended::Outcome { outcome, left: None })
    }

    /// Shows what happened while there was nobody to tell it.
    fn catch_up(&mut self, client: &mut Client, reporter: &mut Reporter) -> Result<(), Error> {
        let id = client.ask(Request::Events { since: self.output.seen() + 1, follow: false })?;
        loop {
            match client.next(None)? {
                Some(answer) if answer.id == id => match answer.reply {
                    Reply::Record { record } => {
                        self.show(reporter, &record)?;
                        reporter.record(&record, caller::now());
                    }
                    Reply::End => return Ok(()),
                    Reply::Error { message } => return Err(Error::Other(message)),
                    _ => {}
                },
                Some(_) | None => {}
            }
        }
    }

    fn show(&mut self, reporter: &mut Reporter, record: &Record) -> Result<(), Error> {
        let by_us = matches!(record.cause, Cause::Command { pid, .. } if pid == std::process::id());
        if by_us && record.name.as_deref() == Some(&*self.task.name) {
            self.found.take(&record.event);
        }
        self.output.show(reporter, Some(record))
    }

    fn wait(
        &mut self,
        client: &mut Client,
        reporter: &mut Reporter,
        names: Vec<String>,
    ) -> Result<Ended, Error> {
        let request = Request::Do {
            command: Command::Wait { names, until: Until::Done },
            line: caller::command_line(),
            env: None,
            follow: true,
            foreground: false,
            take_ports: false,
        };
        carry_out(client, request, (None, OnInterrupt::Leave), reporter, |reporter, record| {
            match record {
                Some(record) => self.show(reporter, record),
                None => self.output.show(reporter, None),
            }
        })
    }
}
