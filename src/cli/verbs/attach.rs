//! `attach`: the terminal of a service.

use std::{
    io::{IsTerminal, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

use clap_complete::engine::ArgValueCandidates;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize},
};

use crate::{
    cli::{
        context::{Context, write_out},
        error::{Error, status},
        names,
        verbs::completions::stack_names,
    },
    logs::{Follower, Lines, Log},
    model::Stack,
    platform::{Places, receive_descriptor},
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

/// The terminal of a service with `tty #true`; Ctrl-] leaves it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The service
    #[arg(add = ArgValueCandidates::new(stack_names))]
    name: String,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let name = &args.name;
    let mut client = context.connect()?;
    let stack = context.known_stack(Some(&mut client))?;
    names::check(&stack, std::slice::from_ref(name))?;
    let terminal = terminal_of(&stack, name)?;
    let log = Log::new(&stack.dir.join(".stackrun").join("logs"), name);
    context.say(&format!("attached to {name}: Ctrl-] leaves it"));
    let mut follower = Follower::from_last_line(&log);
    for line in Lines::all(&log).up_to(follower.place()).last(BEFORE) {
        write_out(&line.text)?;
        write_out(b"\n")?;
    }
    let mode = Raw::enter();
    let ended = converse(&terminal, &mut follower)?;
    drop(mode);
    let how = if ended { "has ended" } else { "goes on" };
    context.say(&format!("\n{name} {how}"));
    Ok(status::OK)
}

fn terminal_of(stack: &Stack, name: &str) -> Result<OwnedFd, Error> {
    let service = stack.services.iter().find(|service| service.name == name);
    if service.is_none_or(|service| !service.tty) {
        let text = format!("`{name}` has no terminal: `tty #true` in its service gives it one");
        return Err(Error::Argument(text));
    }
    let places = Places::of(&stack.dir).map_err(|error| Error::Other(error.to_string()))?;
    let asked = UnixStream::connect(places.terminal(name)).and_then(|socket| {
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        receive_descriptor(&socket)
    });
    asked.map_err(|error| {
        Error::Other(format!("{name} has no terminal now ({error}): `stackrun status {name}`"))
    })
}

/// Passes on what is typed and the size of the window, and shows what is shown, until the key
/// that leaves is pressed, or (true) the service has ended.
fn converse(terminal: &OwnedFd, follower: &mut Follower) -> Result<bool, Error> {
    let failed = |error: std::io::Error| Error::Other(format!("the terminal: {error}"));
    let mut input = std::io::stdin();
    let mut size = None;
    loop {
        let window = tcgetwinsize(std::io::stdout()).ok().filter(|window| window.ws_row > 0);
        if let Some(window) = window.filter(|window| size != Some((window.ws_row, window.ws_col))) {
            size = Some((window.ws_row, window.ws_col));
            tcsetwinsize(terminal, window).map_err(|error| failed(error.into()))?;
        }
        let stdin = input.as_fd().try_clone_to_owned().map_err(failed)?;
        let mut waiting =
            [PollFd::new(&stdin, PollFlags::IN), PollFd::new(terminal, PollFlags::empty())];
        // An interruption is a look that found nothing.
        let _interrupted = poll(&mut waiting, Some(&LOOK));
        let [typed, hung_up] = waiting.map(|one| !one.revents().is_empty());
        let shown = follower.bytes();
        write_out(&shown)?;
        if hung_up {
            if shown.is_empty() {
                return Ok(true);
            }
        } else if typed {
            let mut keys = [0; 4096];
            let count = input.read(&mut keys).map_err(failed)?;
            let keys = &keys[..count];
            let leave = keys.iter().position(|key| *key == LEAVE);
            type_to(terminal, &keys[..leave.unwrap_or(count)]).map_err(failed)?;
            if leave.is_some() || count == 0 {
                return Ok(false);
            }
        }
    }
}

/// Types these keys; a program that does not read them is waited for a while.
fn type_to(terminal: &OwnedFd, keys: &[u8]) -> std::io::Result<()> {
    let mut rest = keys;
    let mut terminal = std::fs::File::from(terminal.try_clone()?);
    while !rest.is_empty() {
        match terminal.write(rest) {
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
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
