//! The running stacks of this user.

use std::{iter, path::PathBuf, sync::mpsc, thread, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{context::status_of, error::Error};
use crate::{
    control::Client,
    model::nearest,
    platform::{self, Places},
    reporters::Tone,
    status::{ServiceState, ServiceStatus, Status, Verdict},
};

/// How long all stacks together have to say how they are.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running stack.
#[derive(Debug)]
pub(super) struct Running {
    /// Its name.
    pub(super) name: String,
    /// Its folder.
    pub(super) folder: PathBuf,
    /// Its file, as seen from its folder.
    pub(super) file: PathBuf,
    /// How it is on the whole.
    pub(super) state: State,
    /// How many services it has that are wanted.
    pub(super) services: usize,
    /// How many of them are ready.
    pub(super) ready: usize,
    /// Since when its supervisor runs.
    pub(super) since: Option<Timestamp>,
}

/// How a stack is on the whole: as the worst of all that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// All that is wanted is ready.
    Ready,
    /// Something is on the way.
    Changing,
    /// Something is unhealthy, or failed and about to be started again.
    Unwell,
    /// Something has failed for good.
    Failed,
}

impl State {
    fn of(status: &Status) -> Self {
        let unwell = |name: &str| {
            let unwell = [ServiceState::Unhealthy, ServiceState::Backoff];
            let service = status.services.iter().find(|service| service.name == name);
            service.is_some_and(|service| unwell.contains(&service.state))
        };
        let states = status.all().map(|item| match item.verdict {
            Verdict::Holds => Self::Ready,
            Verdict::Pending if unwell(item.name) => Self::Unwell,
            Verdict::Pending => Self::Changing,
            Verdict::Fails => Self::Failed,
        });
        let worst = states.max_by_key(|state| match state {
            Self::Ready => 0,
            Self::Changing => 1,
            Self::Unwell => 2,
            Self::Failed => 3,
        });
        worst.unwrap_or(Self::Ready)
    }

    /// In a word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Changing => "changing",
            Self::Unwell => "unwell",
            Self::Failed => "failed",
        }
    }

    /// How that is shown.
    pub(super) fn tone(self) -> Tone {
        match self {
            Self::Ready => Tone::Good,
            Self::Changing => Tone::Busy,
            Self::Unwell => Tone::Warn,
            Self::Failed => Tone::Bad,
        }
    }
}

impl Running {
    /// As data.
    pub(super) fn json(&self) -> Value {
        let Self { name, folder, file, state, services, ready, since } = self;
        json!({
            "name": name,
            "folder": folder,
            "file": folder.join(file),
            "state": state.word(),
            "services": services,
            "ready": ready,
            "since": since,
        })
    }
}

/// All of them, by name. One that does not answer is left out: it may be on its way down, or be
/// frozen. They are asked side by side, so that such a one costs no more than [`PATIENCE`].
pub(super) fn all() -> Vec<Running> {
    let (told, looks) = mpsc::channel();
    for folder in Places::all() {
        let told = told.clone();
        thread::spawn(move || told.send(look(folder)));
    }
    drop(told);
    let deadline = platform::now() + PATIENCE;
    let next = || looks.recv_timeout(deadline.since(platform::now())).ok();
    let mut all: Vec<Running> = iter::from_fn(next).flatten().collect();
    all.sort_by(|a, b| (&a.name, &a.folder).cmp(&(&b.name, &b.folder)));
    all
}

fn look(folder: PathBuf) -> Option<Running> {
    let mut client = Client::connect(&folder).ok()??;
    let status = status_of(&mut client).ok()?;
    let wanted = status.services.iter().filter(|service| service.wanted);
    let ready = |service: &&ServiceStatus| service.state == ServiceState::Ready && service.proven;
    Some(Running {
        services: wanted.clone().count(),
        ready: wanted.filter(ready).count(),
        state: State::of(&status),
        since: status.supervisor.as_ref().map(|supervisor| supervisor.since),
        name: status.stack,
        file: status.file,
        folder,
    })
}

/// The stack file of the running stack of that name.
pub(super) fn find(name: &str) -> Result<PathBuf, Error> {
    let all = all();
    let found: Vec<&Running> = all.iter().filter(|stack| stack.name == name).collect();
    match found.as_slice() {
        [one] => Ok(one.folder.join(&one.file)),
        [] => {
            let names = all.iter().map(|stack| stack.name.as_str());
            let similar = nearest(name, names).map(str::to_owned);
            Err(Error::NoSuchStack { name: name.to_owned(), similar })
        }
        many => {
            let folders: Vec<String> =
                many.iter().map(|stack| stack.folder.display().to_string()).collect();
            let text = format!("several stacks are called `{name}`: {}", folders.join(", "));
            Err(Error::Argument(format!("{text}; `--file FILE` names one")))
        }
    }
}
