//! What every command begins with: the stack that is meant, and how to print.

use std::{
    cell::OnceCell,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use super::{
    ambient,
    args::Global,
    error::Error,
    running_stacks::{self, Running},
    site::{self, FILE, Site, is_there},
};
use crate::{
    control::{Client, ClientError, Reply, Request},
    keeper::StaleState,
    language::{self, Finding, Loaded, Look},
    model::Stack,
    platform::{StackDir, StackPaths, StackPathsError},
    printable,
    reporters::{
        Reporter, Symbol, Theme,
        live_model::LiveModel,
        progress::Progress,
        terminal::{line, masked, printed},
        theme::wrap,
    },
    secrets,
    status::Status,
};

/// More problems than this are counted, not shown.
const PROBLEMS: usize = 20;

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
    /// The running stack that `--stack` names, once it was looked for.
    chosen: OnceCell<Running>,
}

/// A stack's folder, to look into what lasts in it.
pub(super) fn stack_dir(places: &StackPaths) -> Result<StackDir, Error> {
    StackDir::to_read(places).map_err(|error| Error::Io { path: places.folder.clone(), error })
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
        Self { global, out, err, live, chosen: OnceCell::new() }
    }

    /// The stack file: as named, else the nearest one upwards.
    pub(super) fn file(&self) -> Result<PathBuf, Error> {
        if let Some(named) = self.named_file() {
            let file = if named.is_dir() { named.join(FILE) } else { named };
            let file = std::path::absolute(&file)
                .map_err(|error| Error::Io { path: file.clone(), error })?;
            return if is_there(&file) { Ok(file) } else { Err(Error::FileMissing(file)) };
        }
        if let Some(name) = &self.global.stack {
            let stack = self.chosen(name)?;
            let file = stack.places.folder.join(&stack.file);
            return if is_there(&file) { Ok(file) } else { Err(Error::FileMissing(file)) };
        }
        match site::nearest()? {
            Site::File(file) => Ok(file),
            Site::Running(places) => Err(Error::FileMissing(places.folder.join(FILE))),
            Site::Stopped { from, .. } | Site::Nothing { from } => Err(Error::NoFile { from }),
        }
    }

    fn named_file(&self) -> Option<PathBuf> {
        self.global.file.clone().or_else(|| ambient::path_variable("STACKRUN_FILE"))
    }

    /// The running stack of that name, which is looked for once.
    fn chosen(&self, name: &str) -> Result<&Running, Error> {
        match self.chosen.get() {
            Some(stack) => Ok(stack),
            None => {
                let found = running_stacks::find(name)?;
                Ok(self.chosen.get_or_init(|| found))
            }
        }
    }

    /// Where the stack is, whether or not its file, or its folder, is still there.
    pub(super) fn places(&self) -> Result<StackPaths, Error> {
        let folder = match (self.named_file(), &self.global.stack) {
            (None, Some(name)) => return Ok(self.chosen(name)?.places.clone()),
            (None, None) => match site::nearest()? {
                Site::Running(places) | Site::Stopped { places, .. } => return Ok(places),
                Site::File(file) => file,
                Site::Nothing { from } => return Err(Error::NoFile { from }),
            },
            (Some(_), _) => match self.file() {
                Ok(file) => file,
                // The file was deleted, and what it described may still run.
                Err(Error::FileMissing(file)) => file,
                Err(error) => return Err(error),
            },
        };
        let folder = folder.parent().unwrap_or(Path::new("."));
        StackPaths::of(folder).map_err(|error| match error {
            StackPathsError::Io { path, error } => Error::Io { path, error },
            unsafe_place @ (StackPathsError::Unsafe { .. } | StackPathsError::Refused(_)) => {
                ClientError::from(unsafe_place).into()
            }
        })
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

    /// The same for what changes the stack: an older version goes on as this one first.
    pub(super) fn connect_to_change(&self) -> Result<Option<Client>, Error> {
        Ok(Client::connect_to_newest(&self.places()?)?)
    }

    /// What there is of a stack that nobody holds, and what may be of it and could not be looked
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
        broken_line(text);
    }

    /// Writes lines to standard error, unless it was asked to be quiet.
    pub(super) fn say_all(&self, lines: &[String]) {
        lines.iter().for_each(|line| self.say(line));
    }

    /// Writes the problems of a stack file to standard error, unless it was asked to be quiet.
    pub(super) fn say_problems(&self, problems: &[Finding]) {
        if !self.global.quiet {
            self.problems(problems).iter().for_each(|text| line(text));
        }
    }

    /// Writes what went wrong and what to do about it to standard error.
    pub(super) fn complain(&self, error: &Error) {
        match error {
            Error::OutputClosed => return,
            Error::Problems(problems) => {
                self.problems(problems).iter().for_each(|text| line(text));
            }
            _ => {}
        }
        for lines in error.texts() {
            let mut lead = format!("{} ", self.err.symbol(Symbol::Bad));
            for text in lines {
                broken_line(&format!("{}{text}", std::mem::take(&mut lead)));
            }
        }
        if let Some(hint) = error.hint() {
            broken_line(&crate::reporters::summary::hint(&hint, self.err));
        }
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

    /// The problems of a stack file, drawn with their places.
    fn problems(&self, problems: &[Finding]) -> Vec<String> {
        let width = columns_of(&console::Term::stderr()).unwrap_or(100);
        let (color, unicode) = (self.err.color, self.err.unicode);
        let look = Look { width: width.clamp(24, 120), color, unicode };
        let mut texts: Vec<String> =
            problems.iter().take(PROBLEMS).map(|problem| look.draw(problem)).collect();
        if problems.len() > PROBLEMS {
            let more = problems.len() - PROBLEMS;
            texts.push(format!("and {more} more: `stackrun check --json` lists all\n"));
        }
        texts
    }

    /// The width of standard output's terminal; none without one.
    pub(super) fn columns(&self) -> Option<usize> {
        columns_of(&console::Term::stdout())
    }
}

/// The width of a terminal; none if it is none.
pub(super) fn columns_of(terminal: &console::Term) -> Option<usize> {
    terminal.size_checked().map(|(_, columns)| columns.into())
}

/// Writes bytes to standard output as they are: a program's own output, which was asked for. Words
/// go through [`Context::print`].
pub(super) fn write_out(bytes: &[u8]) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Error::OutputClosed,
        _ => Error::Io { path: "standard output".into(), error },
    })
}

/// Where the stack is that was just read.
pub(super) fn places_of(stack: &Stack) -> Result<StackPaths, Error> {
    Ok(StackPaths::of(&stack.dir).map_err(ClientError::from)?)
}

/// Asks the supervisor for its status.
pub(super) fn status_of(client: &mut Client) -> Result<Status, Error> {
    match client.call(Request::Status)? {
        Reply::Status { status } => Ok(status),
        other => Err(unexpected(&other)),
    }
}

/// Connects and asks; `None`: nothing is running, be it that it was just on its way down.
pub(super) fn ask_running<T>(
    connect: impl Fn() -> Result<Option<Client>, Error>,
    ask: impl Fn(Client) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    loop {
        let Some(client) = connect()? else { return Ok(None) };
        match ask(client) {
            Err(Error::Client(ClientError::Gone)) => {}
            answer => return answer.map(Some),
        }
    }
}

/// An answer that fits no question.
pub(super) fn unexpected(reply: &Reply) -> Error {
    match reply {
        Reply::Error { message } => Error::Other(message.clone()),
        _ => Error::Other("the supervisor gave an unexpected answer".into()),
    }
}

/// Writes a message of one line to standard error. A terminal's lines are broken between words, and
/// what follows stands below the words of the first.
fn broken_line(text: &str) {
    // Before it is broken: half a secret is not found any more.
    let text = masked(text);
    let text = &*printable::line(&text);
    let columns = columns_of(&console::Term::stderr());
    let Some(columns) = columns.filter(|columns| console::measure_text_width(text) > *columns)
    else {
        return line(text);
    };
    let words = text.trim_start();
    let indent = text.len() - words.len();
    for (number, part) in wrap(words, columns.saturating_sub(indent + 2)).iter().enumerate() {
        let indent = if number == 0 { indent } else { indent + 2 };
        line(&format!("{}{part}", " ".repeat(indent)));
    }
}

/// Whether the locale's characters go beyond ASCII. One that is not set says nothing: containers
/// have none, and terminals are UTF-8.
fn unicode_locale() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(ambient::variable);
    let locale = locale.map(|locale| locale.to_ascii_uppercase());
    locale.is_none_or(|locale| locale.contains("UTF-8") || locale.contains("UTF8"))
}
