//! Opening the addresses of services that are ready (`url … open=#true`).

use std::process::{Command, Stdio};

use super::caller;
use crate::{
    model::Stack,
    platform,
    status::Status,
    supervisor::{How, Outcome},
};

/// Opens the addresses of what has just become ready. A browser that cannot be opened is no
/// failure: the address has been shown.
pub(super) fn open(stack: &Stack, outcome: &Outcome, status: &Status) {
    let Some(program) = program() else { return };
    let ready = outcome.results.iter().filter(|settled| matches!(settled.how, How::Ready { .. }));
    for settled in ready {
        let wanted = stack.service(&settled.name).is_some_and(|service| service.url_open);
        let shown = status.services.iter().find(|service| service.name == settled.name);
        if let Some(url) = shown.and_then(|service| service.url.as_ref()).filter(|_| wanted) {
            start(&program, url);
        }
    }
}

/// What opens addresses here: the first of `$BROWSER`, which editors set where they show a machine
/// that has no screen of its own; else the desktop's own, where there is a desktop.
fn program() -> Option<String> {
    let named = caller::variable("BROWSER");
    let first = named.and_then(|names| names.split(':').next().map(str::to_owned));
    if let Some(program) = first.filter(|program| !program.is_empty()) {
        return Some(program);
    }
    if cfg!(target_os = "macos") {
        return Some("open".to_owned());
    }
    let desktop =
        ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(|it| caller::variable(it).is_some());
    desktop.then(|| "xdg-open".to_owned())
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
