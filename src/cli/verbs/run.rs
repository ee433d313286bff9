//! `run`: a task with its needs, its output on the terminal.

use std::{
    io::{self, IsTerminal},
    path::Path,
    time::Duration,
};

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        ask, caller,
        context::{Context, status_of, write_out},
        conversation::{Ended, OnInterrupt, carry_out},
        error::{Error, status},
        interrupt, names, programs,
        verbs::completions::stack_names,
    },
    control::{Client, Request},
    event::{Event, Record},
    logs::{Follower, Log},
    model::{Stack, Task, TaskBody},
    reporters::{
        Reporter, Symbol,
        board::{Board, Goal},
        headline, words,
    },
    status::{ServiceState, Status, TaskState},
    supervisor::{Command, How, Outcome, Refusal, Until},
};

/// How often, and after which pause, another supervisor is looked for.
const REJOINS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

const EXAMPLES: &str = "\
Examples:
  stackrun run migrate               with its needs; its exit status is passed on
  stackrun run test -- --verbose     with arguments
  stackrun run deploy --yes          answers its question";

/// Run a task with its needs; its exit status is passed on
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The task
    #[arg(add = ArgValueCandidates::new(stack_names))]
    task: String,
    /// Arguments to append to its command
    #[arg(value_name = "ARG")]
    arguments: Vec<String>,
    /// Answer its question with yes
    #[arg(short, long)]
    yes: bool,
    /// Run it although its inputs have not changed
    #[arg(long)]
    force: bool,
    /// A profile of the stack file to lay over it; may repeat
    #[arg(long = "profile", value_name = "NAME")]
    profiles: Vec<String>,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let stack = context.load_as_in_force(&args.profiles)?.stack;
    names::check(&stack, std::slice::from_ref(&args.task))?;
    let Some(task) = stack.task(&args.task) else {
        let is = if stack.service(&args.task).is_some() { "service" } else { "group" };
        return Err(Refusal::WrongKind { name: args.task.clone(), is: is.into() }.into());
    };
    if !args.arguments.is_empty() && matches!(task.body, TaskBody::Steps(_)) {
        let message = format!("{} is a task of steps: it takes no arguments", task.name);
        return Err(Error::Argument(message));
    }
    confirm(task, args.yes)?;
    if let Some(status) = missing_programs(&stack, task, context) {
        return Ok(status);
    }
    let began = caller::now();
    let mut client = Client::connect_or_launch(&stack.dir)?;
    let before = status_of(&mut client)?;
    let mut board = Board::of_stack(&stack, Goal::Up);
    board.add_undeclared(&before);
    let mut reporter = context.reporter(board, began);
    let mut output = Output::of(&stack.dir, task);
    reporter.expand(&task.name, output.is_seen());
    if before.tasks.iter().any(|known| known.name == task.name && known.state == TaskState::Running)
    {
        let text = format!("{} runs already; this run follows that one", task.name);
        reporter.print(&[headline(Symbol::Warn, &text, context.err)]);
    }
    let request = Request::Do {
        command: Command::Run {
            task: task.name.clone(),
            args: args.arguments.clone(),
            force: args.force,
            stack: Box::new(stack.clone()),
        },
        line: caller::command_line(),
        env: Some(caller::environment()),
        follow: true,
        foreground: false,
        take_ports: false,
    };
    let ended = carry_out(
        &mut client,
        request,
        (None, OnInterrupt::Cancel),
        &mut reporter,
        |reporter, record| output.show(reporter, record),
    );
    let ended = match ended {
        Err(Error::Client(_)) => {
            let mut run = Lost { task, began, before: &before, follower: &mut output };
            run.rejoin(&stack.dir, &mut reporter)
        }
        ended => ended,
    };
    reporter.finish();
    match ended? {
        Ended::Outcome { outcome, .. } => {
            output.finish(&reporter)?;
            if let Some(refusal) = outcome.refused {
                return Err(refusal.into());
            }
            let passed_on = passed_on(&task.name, &outcome, context);
            Ok(if interrupt::count() > 0 { status::INTERRUPTED } else { passed_on })
        }
        Ended::Timeout | Ended::Interrupted => {
            let text = format!("{} goes on without you: `stackrun status` shows it", task.name);
            context.say(&headline(Symbol::Warn, &text, context.err));
            Ok(status::INTERRUPTED)
        }
    }
}

/// The exit status of the task itself.
fn passed_on(task: &str, outcome: &Outcome, context: &Context) -> u8 {
    let of_task = outcome.results.iter().find(|settled| settled.name == task);
    let (text, status) = match of_task.map(|settled| &settled.how) {
        Some(How::Ready { .. } | How::Unchanged | How::Skipped | How::Stopped) => {
            let other = outcome.results.iter().find(|settled| {
                matches!(settled.how, How::Failed { .. } | How::Stuck { .. } | How::Superseded)
            });
            // What its window stopped must be ready again.
            return match other {
                None => status::OK,
                Some(other) => {
                    let text = format!("{task} is done, but {} is not ready again", other.name);
                    context.say(&headline(Symbol::Bad, &text, context.err));
                    status::FAILED
                }
            };
        }
        Some(How::Failed { exit: Some(exit), .. }) => {
            let code = u8::try_from(exit.shell_status()).ok().filter(|code| *code != 0);
            (None, code.unwrap_or(status::FAILED))
        }
        Some(How::Failed { reason, .. }) => (Some(reason.clone()), status::OWN),
        Some(How::Blocked { by }) => {
            (Some(format!("{task} was not run: it needs {by}")), status::OWN)
        }
        Some(How::Superseded) | None => {
            (Some(format!("{task} was ended by another command")), status::OWN)
        }
        Some(How::Stuck { processes }) => {
            let count = words::count(processes.len(), "process");
            (Some(format!("{task}: {count} could not be ended")), status::OWN)
        }
    };
    if let Some(text) = text {
        context.say(&headline(Symbol::Bad, &text, context.err));
    }
    status
}

/// Asks the task's question.
fn confirm(task: &Task, yes: bool) -> Result<(), Error> {
    match &task.confirm {
        Some(question) if !yes && !ask::yes(&question.to_string())? => Err(Error::Declined),
        _ => Ok(()),
    }
}

fn missing_programs(stack: &Stack, task: &Task, context: &Context) -> Option<u8> {
    let names = names::with_needs(stack, std::slice::from_ref(&task.name));
    let missing = programs::missing_programs(stack, &caller::environment(), &names);
    if missing.is_empty() {
        return None;
    }
    let own = missing.iter().any(|missing| missing.owner == task.name);
    context.complain(&Error::MissingPrograms(missing));
    Some(if own { status::NOT_FOUND } else { status::OWN })
}

/// A run whose supervisor was killed: it goes on, and the next supervisor knows of it.
struct Lost<'a> {
    task: &'a Task,
    began: jiff::Timestamp,
    before: &'a Status,
    follower: &'a mut Output,
}

impl Lost<'_> {
    /// Waits for the run's end, and for what its window held down.
    fn rejoin(&mut self, dir: &Path, reporter: &mut Reporter) -> Result<Ended, Error> {
        for _ in 0..REJOINS {
            let ended = match Client::connect_or_launch(dir) {
                Ok(mut client) => self.follow(&mut client, reporter),
                Err(error) => Err(error.into()),
            };
            match ended {
                // Killed once more, or not there yet.
                Err(Error::Client(_)) => std::thread::sleep(PAUSE),
                ended => return ended,
            }
        }
        Err(Error::Other(format!("{} goes on, but nobody can be asked about it", self.task.name)))
    }

    fn follow(&mut self, client: &mut Client, reporter: &mut Reporter) -> Result<Ended, Error> {
        let status = status_of(client)?;
        let known = status.tasks.iter().find(|known| known.name == self.task.name);
        let ours = known.is_some_and(|known| match known.state {
            TaskState::Waiting | TaskState::Running => true,
            TaskState::Done | TaskState::Failed | TaskState::Skipped => {
                known.since.is_some_and(|since| since >= self.began)
            }
            TaskState::Idle => false,
        });
        if !ours {
            let name = &self.task.name;
            return Err(Error::Other(format!("{name} was not run: who was asked was killed")));
        }
        let task = vec![self.task.name.clone()];
        let Ended::Outcome { mut outcome, left } = self.wait(client, reporter, task)? else {
            return Ok(Ended::Interrupted);
        };
        let up = self.before.services.iter().filter(|service| service.state == ServiceState::Ready);
        let up: Vec<String> = up.map(|service| service.name.clone()).collect();
        if !up.is_empty() {
            let Ended::Outcome { outcome: back, .. } = self.wait(client, reporter, up)? else {
                return Ok(Ended::Interrupted);
            };
            outcome.results.extend(back.results);
        }
        Ok(Ended::Outcome { outcome, left })
    }

    fn wait(
        &mut self,
        client: &mut Client,
        reporter: &mut Reporter,
        names: Vec<String>,
    ) -> Result<Ended, Error> {
        let request = Request::Do {
            command: Command::Wait { names, until: Until::Done },
            line: caller::command_line(),
            env: None,
            follow: true,
            foreground: false,
            take_ports: false,
        };
        let output = &mut *self.follower;
        carry_out(client, request, (None, OnInterrupt::Leave), reporter, |reporter, record| {
            output.show(reporter, record)
        })
    }
}

/// The task's output, from its log to standard output, byte by byte.
struct Output {
    task: String,
    follower: Follower,
    /// Whether its steps are shown below its output.
    has_steps: bool,
    /// Whether the output and the steps share a terminal.
    shares: bool,
    /// The beginning of a line that is not whole yet.
    begun: Vec<u8>,
}

impl Output {
    fn of(dir: &Path, task: &Task) -> Self {
        let log = Log::new(&dir.join(".stackrun").join("logs"), &task.name);
        Self {
            task: task.name.clone(),
            follower: Follower::from_end(&log),
            has_steps: matches!(task.body, TaskBody::Steps(_)),
            shares: io::stdout().is_terminal() && io::stderr().is_terminal(),
            begun: Vec::new(),
        }
    }

    /// Whether who sees the steps sees the output, too.
    fn is_seen(&self) -> bool {
        self.shares || !io::stderr().is_terminal()
    }

    /// Shows what has come: all of it before the record that tells of an end.
    fn show(&mut self, reporter: &mut Reporter, record: Option<&Record>) -> Result<(), Error> {
        let of_task = record.filter(|record| record.name.as_deref() == Some(&*self.task));
        match of_task.map(|record| &record.event) {
            // Once the task itself runs the screen is its own.
            Some(Event::Running { .. }) if !self.has_steps => reporter.finish(),
            Some(Event::StepEnded { .. } | Event::Done { .. } | Event::Failed { .. }) => {
                return self.finish(reporter);
            }
            Some(_) | None => {}
        }
        self.copy(reporter).map(|_| ())
    }

    fn copy(&mut self, reporter: &Reporter) -> Result<bool, Error> {
        let bytes = self.follower.bytes();
        if bytes.is_empty() {
            return Ok(false);
        }
        if !(self.shares && reporter.is_live()) {
            write_out(&bytes)?;
            return Ok(true);
        }
        // Whole lines: what moves would be drawn over the beginning of one.
        self.begun.extend(bytes);
        if let Some(end) = memchr::memrchr(b'\n', &self.begun) {
            let rest = self.begun.split_off(end + 1);
            let lines = std::mem::replace(&mut self.begun, rest);
            reporter.beside(|| write_out(&lines))?;
        }
        Ok(true)
    }

    /// The rest: what the task wrote last may be on its way to the log still.
    fn finish(&mut self, reporter: &Reporter) -> Result<(), Error> {
        while self.copy(reporter)? {}
        std::thread::sleep(Duration::from_millis(20));
        while self.copy(reporter)? {}
        if !self.begun.is_empty() {
            let mut line = std::mem::take(&mut self.begun);
            if reporter.is_live() {
                line.push(b'\n');
            }
            reporter.beside(|| write_out(&line))?;
        }
        Ok(())
    }
}
