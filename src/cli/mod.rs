//! The command line: one file a verb, and what they share.
//!
//! A verb reads its arguments, asks the supervisor or a file, hands what it got to a reporter and
//! gives back an exit status. [`error`] is the one place that words what went wrong and says
//! which exit status that is.

mod args;
mod ask;
mod boot;
mod browser;
mod busy;
mod caller;
mod context;
mod conversation;
mod doctor;
mod doing;
mod error;
mod failure_advice;
mod first_file;
mod following;
mod foreground;
#[cfg(fuzzing)]
pub mod fuzzing;
mod grammar;
mod holding;
mod interrupt;
mod names;
mod outcome;
mod programs;
mod roles;
mod running;
mod screen;
mod site;
mod verbs;
mod version;
mod when;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Cli, Verb};
use context::Context;

use crate::platform;

/// The program: reads the command line, carries it out, says how that went.
pub fn main() -> ExitCode {
    platform::leave_first_process();
    if let Some(status) = roles::play() {
        return status;
    }
    clap_complete::CompleteEnv::with_factory(Cli::command)
        .var(verbs::completions::VARIABLE)
        .complete();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return grammar::complain(&error),
    };
    let mut global = cli.global;
    global.file = global.file.or(global.file_before_verb.take());
    let context = Context::new(global);
    let passes_on = matches!(cli.verb, Verb::Run(_) | Verb::Exec(_));
    let result = match &cli.verb {
        Verb::Up(args) => verbs::up::run(args, &context),
        Verb::Down(args) => verbs::down::run(args, &context),
        Verb::Restart(args) => verbs::restart::run(args, &context),
        Verb::Status(args) => verbs::status::run(args, &context),
        Verb::Why(args) => verbs::why::run(args, &context),
        Verb::Attach(args) => verbs::attach::run(args, &context),
        Verb::Logs(args) => verbs::logs::run(args, &context),
        Verb::Run(args) => verbs::run::run(args, &context),
        Verb::Exec(args) => verbs::exec::run(args, &context),
        Verb::Wait(args) => verbs::wait::run(args, &context),
        Verb::Check(args) => verbs::check::run(args, &context),
        Verb::Graph(args) => verbs::graph::run(args, &context),
        Verb::Timeline(args) => verbs::timeline::run(args, &context),
        Verb::Events(args) => verbs::events::run(args, &context),
        Verb::Signal(args) => verbs::signal::run(args, &context),
        Verb::Show(args) => verbs::show::run(args, &context),
        Verb::Env(args) => verbs::env::run(args, &context),
        Verb::Ports(args) => verbs::ports::run(args, &context),
        Verb::Boot(args) => verbs::boot::run(args, &context),
        Verb::Ls(args) => verbs::ls::run(args, &context),
        Verb::Doctor(args) => verbs::doctor::run(args, &context),
        Verb::Upgrade(args) => verbs::upgrade::run(args, &context),
        Verb::Init(args) => verbs::init::run(args, &context),
        Verb::Import(args) => verbs::import::run(args, &context),
        Verb::Explain(args) => verbs::explain::run(args, &context),
        Verb::Schema(args) => verbs::schema::run(args, &context),
        Verb::Fmt(args) => verbs::fmt::run(args, &context),
        Verb::Help(args) => verbs::help::run(args),
        Verb::Completions(args) => verbs::completions::run(args, &context),
    };
    ExitCode::from(match result {
        Ok(status) => status,
        Err(error) => {
            context.complain(&error);
            if passes_on { error.status_of_passed_on() } else { error.status() }
        }
    })
}
