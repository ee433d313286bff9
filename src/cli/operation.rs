//! A command that the supervisor carries out while it is shown: what `up`, `down`, `restart` and
//! `wait` have in common.

use std::{collections::BTreeMap, time::Duration};

use super::{
    ambient,
    context::Context,
    error::{Error, status},
    request_loop::{Early, Ended, OnInterrupt, carry_out},
};
use crate::{
    control::{Client, Request},
    core::stack::Command,
    reporters::{Reporter, Symbol, headline},
};

/// A command, and how it is to be carried out.
#[derive(Debug)]
pub(super) struct Operation {
    /// What.
    pub(super) command: Command,
    /// The environment that services are to be started with.
    pub(super) env: Option<BTreeMap<String, String>>,
    /// How long to wait for its end.
    pub(super) timeout: Option<Duration>,
    /// Everything is stopped when this client goes away.
    pub(super) foreground: bool,
    /// Whoever holds a port is stopped.
    pub(super) take_ports: bool,
}

impl Operation {
    /// A command that starts nothing.
    pub(super) fn new(command: Command, timeout: Option<Duration>) -> Self {
        Self { command, env: None, timeout, foreground: false, take_ports: false }
    }

    /// A command that starts services: with the caller's environment.
    pub(super) fn starting(command: Command, timeout: Option<Duration>) -> Self {
        Self { env: Some(ambient::environment()), ..Self::new(command, timeout) }
    }

    /// Has it carried out, shown by a reporter, which is finished afterwards.
    pub(super) fn carry_out(
        self,
        client: &mut Client,
        reporter: &mut Reporter,
    ) -> Result<Ended, Error> {
        let Self { command, env, timeout, foreground, take_ports } = self;
        let line = ambient::command_line();
        let request = Request::Do { command, line, env, follow: true, foreground, take_ports };
        let limits = (timeout, OnInterrupt::Leave);
        let ended = carry_out(client, request, limits, reporter, |_, _| Ok(()));
        reporter.finish();
        ended
    }
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
