//! The running stacks of this user.

use std::{
    collections::BTreeSet,
    iter,
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{connect::status_of, error::Error, site::FILE};
use crate::{
    control::{Client, ClientError, Obstacle},
    keeper::{self, protocol::CheckpointPart},
    model::{nearest, path_text},
    platform::{self, Endpoint, MarkedStacks, RuntimeFolder, StackId, StackPaths, Whereabouts},
    reporters::Tone,
    status::{LEFT, ServiceState, ServiceStatus, Status, Verdict},
};

/// How long all stacks together have to say how they are.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running stack.
#[derive(Debug)]
pub(super) struct Running {
    /// Its name.
    pub(super) name: String,
    /// Where it is.
    pub(super) places: StackPaths,
    /// Its file, as seen from its folder.
    pub(super) file: PathBuf,
    /// How it is on the whole.
    pub(super) state: State,
    /// What a person should know of it: what keeps it from answering, or that its folder is gone.
    pub(super) notices: Vec<Notice>,
    /// How many services it has that are wanted.
    pub(super) services: usize,
    /// How many of them are ready.
    pub(super) ready: usize,
    /// How many processes are left of what nothing asks for any more.
    pub(super) left: usize,
    /// Since when its supervisor runs.
    pub(super) since: Option<Timestamp>,
}

/// How a stack is on the whole: as the worst of all that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// All that is wanted is ready.
    Ready,
    /// Something is on the way.
    Starting,
    /// Something is unhealthy, or failed and about to be started again.
    Degraded,
    /// Something has failed for good.
    Failed,
    /// Nothing is wanted any more, and not all of it has ended.
    Stopping,
    /// Unknown.
    NotAnswering,
}

/// What a person should know of a stack.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) text: String,
    /// What to do about it.
    pub(super) advice: Option<String>,
}

impl From<Obstacle> for Notice {
    fn from(obstacle: Obstacle) -> Self {
        Self { text: obstacle.to_string(), advice: Some(obstacle.advice()) }
    }
}

impl State {
    fn of(status: &Status) -> Self {
        let unwell = |name: &str| {
            let unwell = [ServiceState::Unhealthy, ServiceState::Backoff];
            let service = status.services.iter().find(|service| service.name == name);
            service.is_some_and(|service| unwell.contains(&service.state))
        };
        if status.all().next().is_none() && left(status) > 0 {
            return Self::Stopping;
        }
        let states = status.all().map(|item| match item.verdict {
            Verdict::Holds => Self::Ready,
            Verdict::Pending if unwell(item.name) => Self::Degraded,
            Verdict::Pending => Self::Starting,
            Verdict::Fails => Self::Failed,
        });
        let worst = states.max_by_key(|state| match state {
            Self::Ready => 0,
            Self::Starting => 1,
            Self::Degraded => 2,
            Self::Failed => 3,
            Self::Stopping => 4,
            Self::NotAnswering => 5,
        });
        worst.unwrap_or(Self::Ready)
    }

    /// In a word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
            Self::Stopping => "stopping",
            Self::NotAnswering => "not answering",
        }
    }

    /// How that is shown.
    pub(super) fn tone(self) -> Tone {
        match self {
            Self::Ready => Tone::Good,
            Self::Starting => Tone::Busy,
            Self::Degraded | Self::Stopping => Tone::Warn,
            Self::Failed | Self::NotAnswering => Tone::Bad,
        }
    }
}

impl Running {
    /// As data.
    pub(super) fn json(&self) -> Value {
        let Self { name, places, file, state, notices, services, ready, left: _, since } = self;
        let notices: Vec<&str> = notices.iter().map(|notice| notice.text.as_str()).collect();
        json!({
            "name": name,
            "id": places.id.to_string(),
            "folder": places.folder.to_string_lossy(),
            "file": places.folder.join(file).to_string_lossy(),
            "state": state.word(),
            "services": services,
            "ready": ready,
            "since": since,
            "notices": notices,
        })
    }
}

/// All of them, by name. They are asked side by side, so that one that does not answer costs no
/// more than [`PATIENCE`].
pub(super) fn all() -> Vec<Running> {
    let mut asked: BTreeSet<StackId> = Endpoint::stacks().into_iter().collect();
    asked.extend(RuntimeFolder::stacks());
    // Both may have been lost while what was started lives.
    let marked = Arc::new(MarkedStacks::read().unwrap_or_default());
    asked.extend(marked.ids());
    let (told, looks) = mpsc::channel();
    for &stack in &asked {
        let (told, marked) = (told.clone(), Arc::clone(&marked));
        thread::spawn(move || {
            let _late = told.send((stack, places_of(stack, &marked).and_then(look)));
        });
    }
    drop(told);
    let deadline = platform::now() + PATIENCE;
    let mut all = Vec::new();
    while let Ok((stack, found)) = looks.recv_timeout(deadline.since(platform::now())) {
        asked.remove(&stack);
        all.extend(found);
    }
    let late = asked.into_iter().filter_map(|stack| places_of(stack, &marked));
    all.extend(late.map(|places| {
        let keeper = platform::keeper_of(places.id).and_then(|keeper| keeper.pid);
        not_answering(places, Obstacle::silence(keeper).into())
    }));
    all.sort_by(|a, b| (&a.name, &a.places.folder).cmp(&(&b.name, &b.places.folder)));
    all
}

/// Where a stack is, by its keeper and what that has written down, or else by its processes.
fn places_of(stack: StackId, marked: &MarkedStacks) -> Option<StackPaths> {
    StackPaths::of_stack(stack).or_else(|| marked.places_of(stack))
}

/// How the stack at these places is, if it runs and is this user's.
fn look(places: StackPaths) -> Option<Running> {
    let answer = Client::connect(&places).map_err(Error::from).and_then(|client| {
        let status = |mut client: Client| Ok((status_of(&mut client)?, client.obstacle()));
        client.map(status).transpose()
    });
    match answer {
        Ok(Some((status, obstacle))) => Some(answering(places, status, obstacle)),
        // It was on its way down.
        Ok(None) | Err(Error::Client(ClientError::Gone)) => None,
        Err(Error::Client(ClientError::Unreachable(obstacle))) => match *obstacle {
            Obstacle::OtherUser { .. } => None,
            obstacle => Some(not_answering(places, obstacle.into())),
        },
        Err(error) => {
            let notice = Notice { text: error.to_string(), advice: error.hint() };
            Some(not_answering(places, notice))
        }
    }
}

fn answering(places: StackPaths, status: Status, obstacle: Option<Obstacle>) -> Running {
    let wanted = status.services.iter().filter(|service| service.wanted);
    let ready = |service: &&ServiceStatus| service.state == ServiceState::Ready && service.proven;
    Running {
        services: wanted.clone().count(),
        ready: wanted.filter(ready).count(),
        left: left(&status),
        state: State::of(&status),
        notices: obstacle.map(Notice::from).into_iter().chain(gone(&places)).collect(),
        since: status.supervisor.as_ref().map(|supervisor| supervisor.since),
        name: status.stack,
        file: status.file,
        places,
    }
}

/// How many processes there are of services that nothing asks for, and that a `down` has left.
fn left(status: &Status) -> usize {
    let unwanted = status.services.iter().filter(|service| !service.wanted);
    let stopping = unwanted.filter(|service| service.state == ServiceState::Stopping);
    let of_services: usize = stopping.map(|service| service.processes.max(1)).sum();
    let others = status.notices.iter().filter(|notice| notice.starts_with(LEFT)).count();
    of_services + others
}

/// A stack that does not say what it is: as its keeper has written it down.
fn not_answering(places: StackPaths, notice: Notice) -> Running {
    let known = keeper::kept(&places, CheckpointPart::Stack);
    let known: Option<Value> = known.and_then(|text| serde_json::from_str(&text).ok());
    let text = |key: &str| Some(known.as_ref()?["stack"][key].as_str()?.to_owned());
    let folder_name = || places.folder.file_name().unwrap_or_default().to_string_lossy();
    let file = text("file").and_then(|file| path_text::decode(&file));
    let file = file.as_ref().and_then(|file| Some(PathBuf::from(file.file_name()?)));
    Running {
        name: text("name").unwrap_or_else(|| folder_name().into_owned()),
        file: file.unwrap_or_else(|| FILE.into()),
        state: State::NotAnswering,
        notices: iter::once(notice).chain(gone(&places)).collect(),
        services: 0,
        ready: 0,
        left: 0,
        since: None,
        places,
    }
}

/// What to say of a stack whose folder is not where it was.
fn gone(places: &StackPaths) -> Option<Notice> {
    let text = match places.present_name().1 {
        Whereabouts::There => return None,
        Whereabouts::Removed => "its folder is gone",
        Whereabouts::Hidden => "its folder cannot be reached: something is mounted over it",
    };
    let advice = format!("`stackrun --stack {} down` stops it", places.id);
    Some(Notice { text: text.to_owned(), advice: Some(advice) })
}

/// The running stack of that name; its identity is a name, too.
pub(super) fn find(name: &str) -> Result<Running, Error> {
    let mut all = all();
    let has_name = |stack: &Running| match name.parse::<StackId>() {
        Ok(id) => stack.places.id == id,
        Err(_) => stack.name == name,
    };
    let found: Vec<usize> = (0..all.len()).filter(|&at| has_name(&all[at])).collect();
    match found.as_slice() {
        [one] => Ok(all.swap_remove(*one)),
        [] => {
            let names = all.iter().map(|stack| stack.name.as_str());
            let similar = nearest(name, names).map(str::to_owned);
            Err(Error::NoSuchStack { name: name.to_owned(), similar })
        }
        many => {
            let folders = many.iter().map(|&at| {
                let places = &all[at].places;
                format!("{} (--stack {})", places.folder.display(), places.id)
            });
            let folders = folders.collect::<Vec<_>>().join(", ");
            Err(Error::Argument(format!("several stacks are called `{name}`: {folders}")))
        }
    }
}
