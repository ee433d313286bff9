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
    if !cfg!(target_os = "macos")
        && caller::variable("DISPLAY").or_else(|| caller::variable("WAYLAND_DISPLAY")).is_none()
    {
        return;
    }
    let ready = outcome.results.iter().filter(|settled| matches!(settled.how, How::Ready { .. }));
    for settled in ready {
        let wanted = stack.service(&settled.name).is_some_and(|service| service.url_open);
        let shown = status.services.iter().find(|service| service.name == settled.name);
        if let Some(url) = shown.and_then(|service| service.url.as_ref()).filter(|_| wanted) {
            start(url);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the browser is the user's, not a service")]
fn start(url: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(program);
    let command = command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // It may live on when the terminal is closed, and its caller is not waited for.
    platform::detach(command);
    // Whether it worked is seen on the screen.
    let _ = command.spawn();
}
