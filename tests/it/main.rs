//! The black-box suite: every scenario drives the real binary on a stack of its own, and looks at
//! the outcome from outside: exit statuses, `status --json`, /proc, HTTP.
//!
//! A scenario waits for conditions, never for a time, and ends only processes of its own, by pid.

#![cfg(target_os = "linux")]
#![expect(
    clippy::disallowed_methods,
    reason = "the scenarios start programs, read clocks and the environment: they are the user"
)]

mod support;

mod alive;
mod at_once;
mod boot;
mod bounds;
mod caller;
mod commands;
mod daemons;
mod doctor;
mod down;
mod edit;
mod environments;
mod escapes;
mod examples;
mod first_files;
mod first_process;
mod foreground;
mod harm;
mod hooks;
mod http_checks;
mod https;
mod language;
mod limits;
mod logs;
mod notify;
mod order;
mod ports;
mod readiness;
mod replicas;
mod restart;
mod root_stack;
mod schedule;
mod secrecy;
mod servers;
mod started;
mod status;
mod survival;
mod tasks;
mod timeline;
mod torture;
mod tty;
mod typed;
mod watch;
