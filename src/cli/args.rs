//! The command line's grammar. Each verb's own options stand with the verb.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCandidates;

use super::verbs::{
    attach, boot, check, completions, doctor, down, events, exec, explain, fmt, graph, help,
    import, init, logs, ls, ports, restart, run, schema, show, signal, status, timeline, up,
    upgrade, wait, why,
};

const EXAMPLES: &str = "\
Examples:
  stackrun up              start everything, return when it is ready
  stackrun status          what runs
  stackrun logs -f api     follow a service's log
  stackrun why api         why it is not ready
  stackrun restart api     stop it, start it, wait until it is ready
  stackrun down            stop everything, leave nothing behind";

/// One file describes your stack, one program starts it, stops it, and keeps it alive.
#[derive(Debug, Parser)]
#[command(name = "stackrun", version, after_help = EXAMPLES, max_term_width = 100)]
#[command(disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// The options that every command has.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Options everywhere")]
pub(super) struct Global {
    /// The stack file [default: the nearest stack.kdl upwards; or STACKRUN_FILE]
    #[arg(long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    pub(super) file: Option<PathBuf>,
    /// The same, before the verb (after it, -f follows)
    #[arg(short = 'f', value_name = "FILE", hide = true, value_hint = ValueHint::FilePath)]
    pub(super) file_before_verb: Option<PathBuf>,
    /// A running stack, by the name or the identity that `ls` tells, from anywhere
    #[arg(long, value_name = "NAME", global = true, conflicts_with = "file",
          add = ArgValueCandidates::new(completions::running_stacks))]
    pub(super) stack: Option<String>,
    /// Say more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// Say nothing but what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Colour: auto (on a terminal, unless NO_COLOR is set), always, never
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto", value_enum)]
    #[arg(hide_possible_values = true)]
    pub(super) color: Color,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set; elsewhere if CLICOLOR_FORCE is
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Whether to colour a stream.
    pub(super) fn wanted(self, terminal: bool) -> bool {
        let variable = super::caller::variable;
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if variable("NO_COLOR").is_some() => false,
            Self::Auto => terminal || variable("CLICOLOR_FORCE").is_some_and(|force| force != "0"),
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    #[command(visible_alias = "start")]
    Up(up::Args),
    #[command(visible_alias = "stop")]
    Down(down::Args),
    Restart(restart::Args),
    #[command(visible_alias = "ps")]
    Status(status::Args),
    Why(why::Args),
    Logs(logs::Args),
    Run(run::Args),
    Exec(exec::Args),
    Attach(attach::Args),
    Wait(wait::Args),
    Check(check::Args),
    Graph(graph::Args),
    Events(events::Args),
    Timeline(timeline::Args),
    Show(show::Args),
    Signal(signal::Args),
    Ports(ports::Args),
    Ls(ls::Args),
    Doctor(doctor::Args),
    Boot(boot::Args),
    Upgrade(upgrade::Args),
    Init(init::Args),
    Import(import::Args),
    Explain(explain::Args),
    Schema(schema::Args),
    Fmt(fmt::Args),
    Completions(completions::Args),
    #[command(hide = true)]
    Help(help::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_stack_file_may_stand_anywhere() {
        let file = |words: &[&str]| {
            let cli = Cli::try_parse_from(words).expect("a command line");
            cli.global.file.or(cli.global.file_before_verb)
        };
        let expected = Some(PathBuf::from("x.kdl"));
        assert_eq!(file(&["stackrun", "-f", "x.kdl", "status"]), expected);
        assert_eq!(file(&["stackrun", "--file", "x.kdl", "status"]), expected);
        assert_eq!(file(&["stackrun", "status", "--file", "x.kdl"]), expected);
        assert_eq!(file(&["stackrun", "logs", "-f", "api"]), None);
    }
}
