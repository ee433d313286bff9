//! Opening the addresses of services that are ready (`url … open=#true`).

use std::process::{Command, Stdio};

use super::ambient;
use crate::{
    core::stack::{ItemOutcome, Outcome},
    model::{Stack, Values},
    platform::{self, OPENER, Opener},
    status::Status,
};

/// Opens the addresses of what has just become ready. A browser that cannot be opened is no
/// failure: the address has been shown.
pub(super) fn open(stack: &Stack, outcome: &Outcome, status: &Status) {
    let Some(program) = program() else { return };
    let ready =
        outcome.results.iter().filter(|settled| matches!(settled.how, ItemOutcome::Ready { .. }));
    for settled in ready {
        let service = stack.service(&settled.name).filter(|service| service.url_open);
        // The status has it without passwords.
        if let Some(url) = service.and_then(|service| service.url.as_ref()) {
            start(&program, &url.render(&AsRunning { stack, status }));
        }
    }
}

/// The ports as they were found at the starts.
struct AsRunning<'a> {
    stack: &'a Stack,
    status: &'a Status,
}

impl Values for AsRunning<'_> {
    fn port(&self, service: &str, port: Option<&str>, _: Option<u16>) -> Option<u16> {
        let declared = &self.stack.service(service)?.ports;
        let place = match port {
            None => 0,
            Some(name) => declared.iter().position(|port| port.name.as_deref() == Some(name))?,
        };
        let running = self.status.services.iter().find(|status| status.name == service)?;
        running.ports.get(place).map(|port| port.port)
    }

    fn now(&self) -> String {
        // A word of tasks alone.
        String::new()
    }

    fn replica(&self) -> u32 {
        1
    }
}

/// What opens addresses here: the first of `$BROWSER`, which editors set where they show a machine
/// that has no screen of its own; else the desktop's own, where there is a desktop.
fn program() -> Option<String> {
    let named = ambient::variable("BROWSER");
    let first = named.and_then(|names| names.split(':').next().map(str::to_owned));
    if let Some(program) = first.filter(|program| !program.is_empty()) {
        return Some(program);
    }
    let Opener { program, needs } = OPENER;
    let desktop = needs.is_empty() || needs.iter().any(|it| ambient::variable(it).is_some());
    desktop.then(|| program.to_owned())
}

#[expect(clippy::disallowed_methods, reason = "the browser is the user's, not a service")]
fn start(program: &str, url: &str) {
    let mut command = Command::new(program);
    let command = command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // It may live on when the terminal is closed, and its caller is not waited for.
    platform::detach(command);
    // Whether it worked is seen on the screen.
    let _ = command.spawn();
}
