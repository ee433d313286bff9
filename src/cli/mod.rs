//! The command line: one file a verb, and what they share.
//!
//! A verb reads its arguments, asks the supervisor or a file, hands what it got to a reporter and
//! gives back an exit status. [`error`] is the one place that words what went wrong and says
//! which exit status that is.

mod ambient;
mod args;
mod ask;
mod boot;
mod browser;
mod candidates;
mod commands;
mod connect;
mod context;
mod doctor;
mod error;
mod failure_advice;
mod first_file;
mod following;
mod foreground;
#[cfg(fuzzing)]
pub mod fuzzing;
mod global;
mod grammar;
mod hidden_commands;
mod idle_status;
mod interrupt;
mod locate;
mod missing;
mod names;
mod operation;
mod outcome;
mod output;
mod port_holder;
mod port_prompt;
mod programs;
mod request_loop;
mod running_stacks;
mod screen;
mod site;
mod time_args;
mod version;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Cli, Verb};
use context::Context;

use crate::platform;

/// The program: reads the command line, carries it out, says how that went.
pub fn main() -> ExitCode {
    platform::leave_first_process();
    if let Some(status) = hidden_commands::play() {
        return status;
    }
    clap_complete::CompleteEnv::with_factory(Cli::command)
        .var(commands::completions::VARIABLE)
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
        Verb::Up(args) => commands::up::run(args, &context),
        Verb::Down(args) => commands::down::run(args, &context),
        Verb::Restart(args) => commands::restart::run(args, &context),
        Verb::Status(args) => commands::status::run(args, &context),
        Verb::Why(args) => commands::why::run(args, &context),
        Verb::Attach(args) => commands::attach::run(args, &context),
        Verb::Logs(args) => commands::logs::run(args, &context),
        Verb::Run(args) => commands::run::run(args, &context),
        Verb::Exec(args) => commands::exec::run(args, &context),
        Verb::Wait(args) => commands::wait::run(args, &context),
        Verb::Check(args) => commands::check::run(args, &context),
        Verb::Graph(args) => commands::graph::run(args, &context),
        Verb::Timeline(args) => commands::timeline::run(args, &context),
        Verb::Events(args) => commands::events::run(args, &context),
        Verb::Signal(args) => commands::signal::run(args, &context),
        Verb::Show(args) => commands::show::run(args, &context),
        Verb::Env(args) => commands::env::run(args, &context),
        Verb::Ports(args) => commands::ports::run(args, &context),
        Verb::Boot(args) => commands::boot::run(args, &context),
        Verb::Ls(args) => commands::ls::run(args, &context),
        Verb::Doctor(args) => commands::doctor::run(args, &context),
        Verb::Upgrade(args) => commands::upgrade::run(args, &context),
        Verb::Init(args) => commands::init::run(args, &context),
        Verb::Import(args) => commands::import::run(args, &context),
        Verb::Explain(args) => commands::explain::run(args, &context),
        Verb::Schema(args) => commands::schema::run(args, &context),
        Verb::Fmt(args) => commands::fmt::run(args, &context),
        Verb::Help(args) => commands::help::run(args),
        Verb::Completions(args) => commands::completions::run(args, &context),
    };
    ExitCode::from(match result {
        Ok(status) => status,
        Err(error) => {
            context.complain(&error);
            if passes_on { error.status_of_passed_on() } else { error.status() }
        }
    })
}
