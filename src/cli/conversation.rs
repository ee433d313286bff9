//! A request that takes time: records go to the reporter until the outcome comes.

use std::time::{Duration, Instant};

use super::{caller, error::Error, interrupt};
use crate::{
    control::{Answer, Client, ClientError, Left, Reply, Request},
    reporters::{Reporter, progress::TICK},
    supervisor::Outcome,
};

/// The two things that a conversation needs of a connection.
pub(super) trait Link {
    /// Sends a request; its answers carry the number that is returned.
    fn ask(&mut self, request: Request) -> Result<u64, ClientError>;
    /// The next answer; `None` when `timeout` ran out or a signal came first.
    fn next(&mut self, timeout: Duration) -> Result<Option<Answer>, ClientError>;
}

impl Link for Client {
    fn ask(&mut self, request: Request) -> Result<u64, ClientError> {
        Self::ask(self, request)
    }

    fn next(&mut self, timeout: Duration) -> Result<Option<Answer>, ClientError> {
        Self::next(self, Some(timeout))
    }
}

/// How a conversation ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The request is done.
    Outcome {
        /// How it ended.
        outcome: Outcome,
        /// After the `down` of everything: what is left.
        left: Option<Left>,
    },
    /// The time is up; the request goes on.
    Timeout,
    /// Ctrl-C; the request goes on.
    Interrupted,
}

/// What Ctrl-C does to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnInterrupt {
    /// It goes on without us.
    Leave,
    /// It is cancelled, and its end waited for; the second time it goes on without us.
    Cancel,
}

/// Sends a request and shows what happens until it is done. `idle` is called about every tenth of
/// a second: whatever else is to be shown meanwhile.
pub(super) fn carry_out(
    link: &mut impl Link,
    request: Request,
    limits: (Option<Duration>, OnInterrupt),
    reporter: &mut Reporter,
    mut idle: impl FnMut(&mut Reporter) -> Result<(), Error>,
) -> Result<Ended, Error> {
    let (timeout, mut on_interrupt) = limits;
    interrupt::watch();
    let mut interrupts = interrupt::count();
    let deadline = timeout.and_then(|timeout| caller::instant().checked_add(timeout));
    let id = link.ask(request)?;
    loop {
        if interrupt::count() > interrupts {
            if on_interrupt == OnInterrupt::Leave {
                return Ok(Ended::Interrupted);
            }
            link.ask(Request::CancelRun { ask: id })?;
            (interrupts, on_interrupt) = (interrupt::count(), OnInterrupt::Leave);
        }
        let left = deadline.map(|deadline: Instant| deadline - caller::instant());
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(Ended::Timeout);
        }
        match link.next(left.map_or(TICK, |left| left.min(TICK)))? {
            None => reporter.tick(caller::now()),
            Some(answer) if answer.id != id => {}
            Some(answer) => match answer.reply {
                Reply::Record { record } => reporter.record(&record, caller::now()),
                Reply::Outcome { outcome, left } => {
                    idle(reporter)?;
                    return Ok(Ended::Outcome { outcome, left });
                }
                Reply::Error { message } => return Err(Error::Other(message)),
                // Left-out records cost a line on the screen, nothing else.
                _ => {}
            },
        }
        idle(reporter)?;
    }
}
