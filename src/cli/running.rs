//! The running stacks of this user.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{context::status_of, error::Error};
use crate::{control::Client, platform::Places, status::ServiceState};

/// A running stack.
#[derive(Debug)]
pub(super) struct Running {
    /// Its name.
    pub(super) name: String,
    /// Its folder.
    pub(super) folder: PathBuf,
    /// Its file, as seen from its folder.
    pub(super) file: PathBuf,
    /// How many services it has that are wanted.
    pub(super) services: usize,
    /// How many of them are ready.
    pub(super) ready: usize,
}

impl Running {
    /// As data.
    pub(super) fn json(&self) -> Value {
        let Self { name, folder, file, services, ready } = self;
        json!({ "name": name, "folder": folder, "file": folder.join(file), "services": services, "ready": ready })
    }
}

/// All of them, by name. One that does not answer is left out: it may be on its way down.
pub(super) fn all() -> Vec<Running> {
    let mut all: Vec<Running> = Places::all().into_iter().filter_map(look).collect();
    all.sort_by(|a, b| (&a.name, &a.folder).cmp(&(&b.name, &b.folder)));
    all
}

fn look(folder: PathBuf) -> Option<Running> {
    let mut client = Client::connect(&folder).ok()??;
    let status = status_of(&mut client).ok()?;
    let wanted = status.services.iter().filter(|service| service.state != ServiceState::Idle);
    let ready = |state| matches!(state, ServiceState::Ready | ServiceState::Exited);
    Some(Running {
        services: wanted.clone().count(),
        ready: wanted.filter(|service| ready(service.state)).count(),
        name: status.stack,
        file: status.file,
        folder,
    })
}

/// The stack file of the running stack of that name.
pub(super) fn find(name: &str) -> Result<PathBuf, Error> {
    let found: Vec<Running> = all().into_iter().filter(|stack| stack.name == name).collect();
    match found.as_slice() {
        [one] => Ok(one.folder.join(&one.file)),
        [] => Err(Error::NoSuchStack(name.to_owned())),
        many => {
            let folders: Vec<String> =
                many.iter().map(|stack| stack.folder.display().to_string()).collect();
            let text = format!("several stacks are called `{name}`: {}", folders.join(", "));
            Err(Error::Argument(text))
        }
    }
}
