//! What every command begins with: the stack that is meant, and how to print.

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
};

use super::{
    ambient,
    connect::{ask_running, stack_dir, unexpected},
    error::Error,
    global::Global,
    locate::Locator,
    output::{columns_of, drawn, message, unicode_locale, write_out},
};
use crate::{
    control::{Client, Reply, Request},
    keeper::StaleState,
    language::{self, Finding, Loaded},
    model::Stack,
    platform::{StackDir, StackPaths},
    printable,
    reporters::{
        Reporter, Symbol, Theme,
        live_model::{Goal, LiveModel},
        progress::Progress,
        terminal::{line, printed},
    },
    secrets,
    status::Status,
};

/// What every command begins with.
#[derive(Debug)]
pub(super) struct Context {
    /// The options that every command has.
    pub(super) global: Global,
    /// How standard output is written to.
    pub(super) out: Theme,
    /// How standard error is written to.
    pub(super) err: Theme,
    /// Whether standard error can show live lines.
    pub(super) live: bool,
    /// Which stack is meant.
    locator: Locator,
}

impl Context {
    /// Looks at the options and the terminal.
    pub(super) fn new(global: Global) -> Self {
        let unicode = unicode_locale();
        let dumb = ambient::variable("TERM").is_some_and(|term| term == "dumb");
        let color = |terminal: bool| global.color.wanted(terminal && !dumb);
        let out = Theme { color: color(io::stdout().is_terminal()), unicode };
        let err = Theme { color: color(io::stderr().is_terminal()), unicode };
        let live = io::stderr().is_terminal() && !dumb;
        let locator = Locator::new(&global);
        Self { global, out, err, live, locator }
    }

    /// The stack file: as named, else the nearest one upwards.
    pub(super) fn file(&self) -> Result<PathBuf, Error> {
        self.locator.file()
    }

    /// Where the stack is, whether or not its file, or its folder, is still there.
    pub(super) fn places(&self) -> Result<StackPaths, Error> {
        self.locator.places()
    }

    /// The stack's folder, by the name that it has now, or had last.
    pub(super) fn folder(&self) -> Result<PathBuf, Error> {
        Ok(self.places()?.folder)
    }

    /// The stack's folder, to look into what lasts in it.
    pub(super) fn stack_dir(&self) -> Result<StackDir, Error> {
        stack_dir(&self.places()?)
    }

    /// Reads and checks the stack file.
    pub(super) fn load(&self, profiles: &[String]) -> Result<Loaded, Error> {
        let file = self.file()?;
        let profiles = profiles.to_vec();
        let options = language::Options { env: ambient::environment(), profiles };
        let loaded = language::load(&file, &options);
        // Before there is a word about it, or about what is wrong with it.
        match &loaded {
            Ok(loaded) => secrets::learn(&loaded.stack),
            Err(_) => secrets::learn(&language::sketch(&file, &options)),
        }
        loaded.map_err(Error::Problems)
    }

    /// What can be read of a stack file that has errors.
    pub(super) fn sketch(&self) -> Result<Stack, Error> {
        let options = language::Options { env: ambient::environment(), profiles: Vec::new() };
        Ok(language::sketch(&self.file()?, &options))
    }

    /// Reads and checks the stack file with the profiles that were asked for, else with those in
    /// force: an `up --profile` counts until the next `up`.
    pub(super) fn load_as_in_force(&self, profiles: &[String]) -> Result<Loaded, Error> {
        if !profiles.is_empty() {
            return self.load(profiles);
        }
        let ask = |mut client: Client| self.known_stack(Some(&mut client));
        match ask_running(|| self.connect_to_change(), ask)? {
            Some(known) => self.load(&known.profiles),
            None => self.load(&[]),
        }
    }

    /// Connects to the stack's supervisor.
    pub(super) fn connect(&self) -> Result<Client, Error> {
        self.connect_if_running()?.ok_or(Error::NotRunning { stack: None })
    }

    /// Connects to the stack's supervisor; `None`: nothing is running.
    pub(super) fn connect_if_running(&self) -> Result<Option<Client>, Error> {
        Ok(Client::connect(&self.places()?)?)
    }

    /// The same for the end of the stack: what a holder that was killed has left is ended, too.
    pub(super) fn connect_to_end(&self) -> Result<Option<Client>, Error> {
        Ok(Client::connect_to_end(&self.places()?)?)
    }

    /// The same for what changes the stack: an older version is replaced by this one first.
    pub(super) fn connect_to_change(&self) -> Result<Option<Client>, Error> {
        Ok(Client::connect_to_newest(&self.places()?)?)
    }

    /// What there is of a stack that has no keeper, and what may be of it and could not be looked
    /// into.
    pub(super) fn stale_state(&self) -> (StaleState, Vec<String>) {
        let nothing = (StaleState::Nothing, Vec::new());
        self.places().map_or(nothing, |places| StaleState::and_unproved(&places))
    }

    /// The stack as the supervisor has it; as its file has it with nothing running, and where
    /// nothing is known of what runs but that it does.
    pub(super) fn known_stack(&self, client: Option<&mut Client>) -> Result<Stack, Error> {
        match client {
            Some(client) => match client.call(Request::Stack)? {
                Reply::Stack { stack } => {
                    secrets::learn(&stack);
                    if stack.tasks.is_empty()
                        && stack.services.iter().all(|known| known.is_lost)
                        && let Ok(loaded) = self.load(&[])
                    {
                        return Ok(loaded.stack);
                    }
                    Ok(*stack)
                }
                other => Err(unexpected(&other)),
            },
            None => Ok(self.load(&[])?.stack),
        }
    }

    /// Writes words to standard output, without secrets.
    pub(super) fn print(&self, text: &str) -> Result<(), Error> {
        write_out(printed(text).as_bytes())
    }

    /// Writes JSON to standard output, without secrets; names, states, ports and paths in it stay.
    pub(super) fn print_json(&self, json: &str) -> Result<(), Error> {
        let masker = secrets::masker();
        if masker.find(json).is_empty() {
            return self.print_with_secrets(json);
        }
        let Ok(mut value) = serde_json::from_str(json) else { return self.print(json) };
        masker.hide_in_json(&mut value);
        let of_one_line = !json.trim_end().contains('\n');
        let json = if of_one_line { format!("{value}\n") } else { format!("{value:#}\n") };
        self.print_with_secrets(&json)
    }

    /// Writes what was asked for with its secrets to standard output.
    pub(super) fn print_with_secrets(&self, text: &str) -> Result<(), Error> {
        write_out(printable::finish(text).as_bytes())
    }

    /// Writes a message of one line to standard error, unless it was asked to be quiet. A
    /// terminal's lines are broken between words.
    pub(super) fn say(&self, text: &str) {
        if self.global.quiet {
            return;
        }
        message(text);
    }

    /// Writes lines to standard error, unless it was asked to be quiet.
    pub(super) fn say_all(&self, lines: &[String]) {
        lines.iter().for_each(|line| self.say(line));
    }

    /// Writes the problems of a stack file to standard error, unless it was asked to be quiet.
    pub(super) fn say_problems(&self, problems: &[Finding]) {
        if !self.global.quiet {
            drawn(problems, self.err).iter().for_each(|text| line(text));
        }
    }

    /// Writes what went wrong and what to do about it to standard error.
    pub(super) fn complain(&self, error: &Error) {
        match error {
            Error::OutputClosed => return,
            Error::Problems(problems) => {
                drawn(problems, self.err).iter().for_each(|text| line(text));
            }
            _ => {}
        }
        for lines in error.texts() {
            let mut lead = format!("{} ", self.err.symbol(Symbol::Bad));
            for text in lines {
                message(&format!("{}{text}", std::mem::take(&mut lead)));
            }
        }
        if let Some(hint) = error.hint() {
            message(&crate::reporters::summary::hint(&hint, self.err));
        }
    }

    /// What shows how a stack that was as `before` is brought to what its file says.
    pub(super) fn reporter_of(
        &self,
        stack: &Stack,
        before: &Status,
        began: jiff::Timestamp,
    ) -> Reporter {
        let mut board = LiveModel::of_stack(stack, Goal::Up);
        board.add_undeclared(before);
        self.reporter(board, began)
    }

    /// What shows a command that takes time.
    pub(super) fn reporter(&self, board: LiveModel, began: jiff::Timestamp) -> Reporter {
        let reporter = match (self.global.quiet, self.live) {
            (true, _) => Reporter::quiet(board, self.err),
            (false, true) => Reporter::bars(board, Progress::on_stderr(self.err, began), self.err),
            (false, false) => Reporter::lines(board, self.err),
        };
        reporter.verbosely(self.global.verbose > 0)
    }

    /// The width of standard output's terminal; none without one.
    pub(super) fn columns(&self) -> Option<usize> {
        columns_of(&console::Term::stdout())
    }
}
