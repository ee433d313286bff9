//! The command line's grammar. Each verb's own options stand with the verb.

use clap::{Parser, Subcommand};

use super::{
    commands::{
        attach, boot, check, completions, doctor, down, env, events, exec, explain, fmt, graph,
        help, import, init, logs, ls, ports, restart, run, schema, show, signal, status, timeline,
        up, upgrade, wait, why,
    },
    global::Global,
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
    Env(env::Args),
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
    use std::path::PathBuf;

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_help_with_examples() {
        let cli = Cli::command();
        let mut seen = 0;
        for command in cli.get_subcommands().filter(|command| !command.is_hide_set()) {
            let help = command.clone().render_help().to_string();
            assert!(help.contains("\nExamples:\n"), "{}: {help}", command.get_name());
            seen += 1;
        }
        assert!(seen > 20, "{seen} commands");
    }

    /// The command lines in a text: in backticks, and those of blocks (after a `$ ` or not), up to
    /// whatever the shell does with them. Not those with something left out.
    fn command_lines(text: &str) -> Vec<Vec<&str>> {
        let spans = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
        let blocks = text.split("```").skip(1).step_by(2).flat_map(str::lines);
        let lines = spans.chain(blocks.map(|line| line.trim_start_matches("$ ").trim_start()));
        let of_ours = lines.filter(|line| line.starts_with("stackrun ") && !line.contains('…'));
        let ends = [" |", ";", " &&", " #", " >", "("];
        let cut = of_ours.map(|line| {
            let end = ends.iter().filter_map(|end| line.find(end)).min();
            line[..end.unwrap_or(line.len())].split_whitespace().collect()
        });
        // The name alone is that of the program, in a drawing.
        cut.filter(|words: &Vec<&str>| words.len() > 1).collect()
    }

    #[test]
    fn every_command_line_of_the_documents_is_one() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let of = |folder: &str| {
            let entries = std::fs::read_dir(root.join(folder)).expect("a folder").flatten();
            entries.map(|entry| entry.path())
        };
        let mut files = vec![root.join("README.md"), root.join("SECURITY.md")];
        files.extend(of("docs"));
        files.extend(of("examples").map(|example| example.join("README.md")));
        let mut found = 0;
        for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "md")) {
            let text = std::fs::read_to_string(file).expect("a document");
            for line in command_lines(&text) {
                if let Err(error) = Cli::try_parse_from(&line) {
                    let shown = [
                        clap::error::ErrorKind::DisplayHelp,
                        clap::error::ErrorKind::DisplayVersion,
                    ];
                    assert!(shown.contains(&error.kind()), "{}: {error}", file.display());
                }
                found += 1;
            }
        }
        assert!(found > 50, "{found} command lines");
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
