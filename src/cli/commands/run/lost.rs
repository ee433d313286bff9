//! A run whose supervisor was killed: it continues, and the next supervisor knows of it. Where that
//! one has nothing left to do, and is gone, too, the ledger tells how the run ended.

use std::time::Duration;

use super::Output;
use crate::{
    cli::{
        ambient,
        connect::status_of,
        error::Error,
        operation,
        request_loop::{Ended, OnInterrupt, carry_out},
    },
    control::{Client, Reply, Request},
    core::stack::{Command, ItemOutcome, ItemResult, Outcome, Until},
    event::{Cause, Event, Record},
    model::Exit,
    platform::StackPaths,
    reporters::Reporter,
    status::{ServiceState, ServiceStatus, Status},
};

/// How often, and after which pause, another supervisor is looked for.
const REJOINS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// A run that continues.
pub(super) struct Lost<'a> {
    task: &'a str,
    /// What asks for it once more, and does not have it run twice.
    request: Request,
    /// The stack before the run.
    before: &'a Status,
    output: &'a mut Output,
    /// What the ledger says of the run.
    found: Found,
}

/// What the ledger says of a run.
#[derive(Debug, Default)]
struct Found {
    /// How its main process ended.
    exit: Option<Exit>,
    /// How it ended.
    end: Option<ItemOutcome>,
}

impl Found {
    /// Takes in a record of this very run.
    fn take(&mut self, event: &Event) {
        match event {
            Event::Starting => *self = Self::default(),
            Event::Exited { exit, .. } => self.exit = Some(*exit),
            Event::Done { after_ms } => self.end = Some(ItemOutcome::Ready { after_ms: *after_ms }),
            Event::Skipped => self.end = Some(ItemOutcome::Skipped),
            Event::Failed { reason, .. } => {
                let reason = reason.clone();
                self.end = Some(ItemOutcome::Failed { reason, exit: self.exit });
            }
            _ => {}
        }
    }
}

impl<'a> Lost<'a> {
    pub(super) fn new(
        task: &'a str,
        request: Request,
        before: &'a Status,
        output: &'a mut Output,
    ) -> Self {
        Self { task, request, before, output, found: Found::default() }
    }

    /// Waits for the run's end, and for what its window held down.
    pub(super) fn rejoin(
        &mut self,
        places: &StackPaths,
        reporter: &mut Reporter,
    ) -> Result<Ended, Error> {
        for _ in 0..REJOINS {
            let ended = match Client::connect_or_launch(places) {
                Ok(mut client) => self.follow(&mut client, reporter),
                Err(error) => Err(error.into()),
            };
            match ended {
                // Killed once more, or not there yet.
                Err(Error::Client(_)) => std::thread::sleep(PAUSE),
                ended => return ended,
            }
        }
        Err(Error::Other(format!(
            "{} keeps running, but its supervisor does not answer",
            self.task
        )))
    }

    fn follow(&mut self, client: &mut Client, reporter: &mut Reporter) -> Result<Ended, Error> {
        self.catch_up(client, reporter)?;
        let mut outcome = match self.found.end.take() {
            Some(how) => {
                let results = vec![ItemResult { name: self.task.to_owned(), how }];
                Outcome { results, ..Outcome::default() }
            }
            None => {
                let request = self.request.clone();
                match self.ask(client, request, OnInterrupt::Cancel, reporter)? {
                    Ended::Outcome { outcome, .. } => outcome,
                    ended @ Ended::Early(_) => return Ok(ended),
                }
            }
        };
        if outcome.refused.is_none() {
            match self.await_return(client, reporter)? {
                Some(Ended::Outcome { outcome: back, .. }) => outcome.results.extend(back.results),
                Some(ended @ Ended::Early(_)) => return Ok(ended),
                None => {}
            }
        }
        Ok(Ended::Outcome { outcome, left: None, status: None })
    }

    /// Waits until what was up is ready again, but for what another command has taken down meanwhile.
    fn await_return(
        &mut self,
        client: &mut Client,
        reporter: &mut Reporter,
    ) -> Result<Option<Ended>, Error> {
        let now = status_of(client)?;
        let ready = |service: &&ServiceStatus| service.state == ServiceState::Ready;
        let wanted = |name: &str| {
            now.services.iter().any(|now| now.name == name && now.state != ServiceState::Idle)
        };
        let up = self.before.services.iter().filter(ready).map(|service| service.name.clone());
        let names: Vec<String> = up.filter(|name| wanted(name)).collect();
        if names.is_empty() {
            return Ok(None);
        }
        let request = Request::Do(operation::job(Command::Wait { names, until: Until::Ready }));
        self.ask(client, request, OnInterrupt::Leave, reporter).map(Some)
    }

    /// Shows what happened while there was no supervisor to tell it.
    fn catch_up(&mut self, client: &mut Client, reporter: &mut Reporter) -> Result<(), Error> {
        let id = client.ask(Request::Events { since: self.output.seen() + 1, follow: false })?;
        loop {
            match client.next(None)? {
                Some(answer) if answer.id == id => match answer.reply {
                    Reply::Record { record } => {
                        self.show(reporter, &record)?;
                        reporter.record(&record, ambient::now());
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
        if by_us && record.name.as_deref() == Some(self.task) {
            self.found.take(&record.event);
        }
        self.output.show(reporter, Some(record))
    }

    fn ask(
        &mut self,
        client: &mut Client,
        request: Request,
        on_interrupt: OnInterrupt,
        reporter: &mut Reporter,
    ) -> Result<Ended, Error> {
        carry_out(
            client,
            request,
            (None, on_interrupt),
            reporter,
            |reporter, record| match record {
                Some(record) => self.show(reporter, record),
                None => self.output.show(reporter, None),
            },
        )
    }
}
