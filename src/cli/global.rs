//! The options that every command has.

use std::path::PathBuf;

use clap::{ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCandidates;

use super::{ambient, candidates};

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
    /// A running stack, by the name or identity that `ls` shows, from anywhere
    #[arg(long, value_name = "NAME", global = true, conflicts_with = "file",
          add = ArgValueCandidates::new(candidates::running_stacks))]
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
        let variable = ambient::variable;
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if variable("NO_COLOR").is_some() => false,
            Self::Auto => terminal || variable("CLICOLOR_FORCE").is_some_and(|force| force != "0"),
        }
    }
}
