//! A command that the supervisor carries out while it is shown: what `up`, `down`, `restart` and
//! `wait` have in common.

use std::time::Duration;

use super::{
    ambient,
    context::Context,
    error::{Error, status},
    request_loop::{self, Early, Ended, OnInterrupt},
};
use crate::{
    control::{Client, Job, Request},
    core::stack::Command,
    reporters::{Reporter, Symbol, headline},
};

/// A command that starts nothing; its records are followed.
pub(super) fn job(command: Command) -> Job {
    Job { follow: true, ..Job::new(command, ambient::command_line()) }
}

/// A command that starts services, with the caller's environment; its records are followed.
pub(super) fn starting(command: Command) -> Job {
    Job { env: Some(ambient::environment()), ..job(command) }
}

/// Has a command carried out, shown by a reporter, which is finished afterwards.
pub(super) fn carry_out(
    job: Job,
    timeout: Option<Duration>,
    client: &mut Client,
    reporter: &mut Reporter,
) -> Result<Ended, Error> {
    let limits = (timeout, OnInterrupt::Leave);
    let request = Request::Do(job);
    let ended = request_loop::carry_out(client, request, limits, reporter, |_, _| Ok(()));
    reporter.finish();
    ended
}

impl Early {
    /// Says what becomes of it now (`the restart continues`); the exit status.
    pub(super) fn say(self, context: &Context, then: &str) -> u8 {
        let (why, status) = match self {
            Self::Timeout => ("timed out", status::TIMEOUT),
            Self::Interrupted => ("interrupted", status::INTERRUPTED),
        };
        context.say(&headline(Symbol::Warn, &format!("{why}: {then}"), context.err));
        status
    }
}
