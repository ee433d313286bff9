//! `attach`: the terminal of a service.

use std::{io::IsTerminal, os::fd::OwnedFd, time::Duration};

use clap_complete::engine::ArgValueCandidates;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    termios::{
        OptionalActions, Termios, Winsize, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
    },
};

use crate::{
    cli::{
        candidates::service_names,
        connect::stack_dir,
        context::Context,
        error::{Error, status},
        interrupt, names,
        output::write_out,
        screen::Screen,
    },
    logs::{Follower, Lines, Log},
    model::Stack,
    platform::{self, StackPaths},
};

const EXAMPLES: &str = "\
Examples:
  stackrun attach shell   type to it, see what it shows; Ctrl-] leaves it";

/// Leaves the terminal: Ctrl-].
const LEAVE: u8 = 0x1d;
/// What it shows is looked for so often.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
/// So many lines of what it has shown before are shown again.
const BEFORE: usize = 20;
/// So many keys a program may be behind.
const AHEAD: usize = 64 << 10;

/// The terminal of a service with `tty #true`; Ctrl-] leaves it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The service
    #[arg(add = ArgValueCandidates::new(service_names))]
    name: String,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let name = &args.name;
    let mut client = context.connect()?;
    let stack = context.known_stack(Some(&mut client))?;
    names::check(&stack, std::slice::from_ref(name))?;
    let places = context.places()?;
    let terminal = terminal_of(&stack, &places, name)?;
    let log = Log::new(&stack_dir(&places)?.logs, name);
    context.say(&format!("attached to {name}: Ctrl-] leaves it"));
    let mut follower = Follower::from_last_line(&log);
    let mut screen = Screen::default();
    for line in Lines::all(&log).up_to(follower.place()).last(BEFORE) {
        show(&line.text, &mut screen)?;
        show(if line.ends { b"\n" } else { b"" }, &mut screen)?;
    }
    // A terminal left in another mode is worse than a late answer to a signal.
    interrupt::watch();
    let mode = Raw::enter();
    let ended = converse(&terminal, &mut follower, &mut screen);
    drop(mode);
    if std::io::stdout().is_terminal() {
        write_out(&screen.undo())?;
    }
    let (how, status) = match ended? {
        ItemOutcome::Left => ("keeps running", status::OK),
        ItemOutcome::Interrupted => ("keeps running", status::INTERRUPTED),
        ItemOutcome::Ended => ("has ended", status::OK),
    };
    // What the program showed last may have no end of line.
    context.say("");
    context.say(&format!("{name} {how}"));
    Ok(status)
}

/// Why a terminal is shown no longer.
enum ItemOutcome {
    /// The key was pressed, or there are no more keys.
    Left,
    /// A signal.
    Interrupted,
    /// It is not used any more.
    Ended,
}

fn terminal_of(stack: &Stack, places: &StackPaths, name: &str) -> Result<OwnedFd, Error> {
    let service = stack.services.iter().find(|service| service.name == name);
    if service.is_none_or(|service| !service.tty) {
        let text = format!("`{name}` has no terminal: `tty #true` in its service gives it one");
        return Err(Error::Argument(text));
    }
    platform::terminal_at(&places.terminal(name), Duration::from_secs(5)).map_err(|error| {
        Error::Other(format!("{name} has no terminal now ({error}): `stackrun status {name}`"))
    })
}

/// Passes on what is typed and the size of the window, and shows what is shown.
fn converse(
    terminal: &OwnedFd,
    follower: &mut Follower,
    screen: &mut Screen,
) -> Result<ItemOutcome, Error> {
    let failed = |error: std::io::Error| Error::Other(format!("the terminal: {error}"));
    let input = std::io::stdin();
    let mut size = None;
    let mut leaving = false;
    // What was typed and not read by the program yet.
    let mut typed: Vec<u8> = Vec::new();
    while interrupt::count() == 0 {
        resize(terminal, &mut size);
        let wanted =
            if leaving || typed.len() > AHEAD { PollFlags::empty() } else { PollFlags::IN };
        let room = if typed.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
        let mut waiting = [PollFd::new(&input, wanted), PollFd::new(terminal, room)];
        // An interruption is a look that found nothing.
        let _interrupted = poll(&mut waiting, Some(&LOOK));
        let [keys, theirs] = waiting.map(|one| one.revents());
        let shown = follower.bytes();
        show(&shown, screen)?;
        if theirs.intersects(PollFlags::HUP | PollFlags::ERR) {
            if shown.is_empty() {
                return Ok(ItemOutcome::Ended);
            }
            continue;
        }
        if !keys.is_empty() {
            let mut buffer = [0; 4096];
            // Not by way of the buffer of the standard input: what that holds is not polled for.
            let count = rustix::io::read(&input, &mut buffer).map_err(|no| failed(no.into()))?;
            let leave = buffer[..count].iter().position(|key| *key == LEAVE);
            typed.extend_from_slice(&buffer[..leave.unwrap_or(count)]);
            if leave.is_some() {
                return Ok(ItemOutcome::Left);
            }
            leaving = count == 0;
        }
        type_to(terminal, &mut typed).map_err(failed)?;
        if leaving && typed.is_empty() {
            return Ok(ItemOutcome::Left);
        }
    }
    Ok(ItemOutcome::Interrupted)
}

fn show(bytes: &[u8], screen: &mut Screen) -> Result<(), Error> {
    if bytes.is_empty() {
        return Ok(());
    }
    screen.show(bytes);
    write_out(bytes)
}

/// Gives the terminal the size of our own, when that has changed.
fn resize(terminal: &OwnedFd, known: &mut Option<(u16, u16)>) {
    let Ok(window) = tcgetwinsize(std::io::stdout()) else { return };
    let size = (window.ws_row, window.ws_col);
    if window.ws_row == 0 || *known == Some(size) {
        return;
    }
    if known.is_none() {
        // A program draws its screen again when the size changes: that it has to do now.
        let other = Winsize { ws_row: window.ws_row.saturating_add(1), ..window };
        let _ended = tcsetwinsize(terminal, other);
    }
    *known = Some(size);
    let _ended = tcsetwinsize(terminal, window);
}

/// Types as many of these keys as the program has room for.
fn type_to(terminal: &OwnedFd, keys: &mut Vec<u8>) -> std::io::Result<()> {
    while !keys.is_empty() {
        match rustix::io::write(terminal, keys) {
            Ok(count) => drop(keys.drain(..count)),
            Err(Errno::AGAIN) => break,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Our own terminal, as long as every key goes to another.
struct Raw(Termios);

impl Raw {
    /// `None` if there is no terminal.
    fn enter() -> Option<Self> {
        let input = std::io::stdin();
        let before = input.is_terminal().then(|| tcgetattr(&input).ok())??;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&input, OptionalActions::Flush, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _hung_up = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
    }
}
