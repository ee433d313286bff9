//! The whole stack.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{EnvValue, Origin, Service, Task, nearest};

/// The folder in the stack's own in which stackrun keeps what lasts.
pub const STATE_FOLDER: &str = ".stackrun";

/// Everything that one stack file (and what it includes) declares. Services, tasks and groups
/// are in the order of the file and share one namespace.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Stack {
    /// The stack's name.
    pub name: String,
    /// The stack's folder: absolute, canonical.
    #[serde(with = "crate::model::path_text")]
    pub dir: PathBuf,
    /// The stack file: absolute.
    #[serde(with = "crate::model::path_text")]
    pub file: PathBuf,
    /// Profiles in force.
    pub profiles: Vec<String>,
    /// Long-running processes.
    pub services: Vec<Service>,
    /// Commands that end.
    pub tasks: Vec<Task>,
    /// Names for several.
    pub groups: Vec<Group>,
    /// Where values were set: `service.key` or `service.key.property` → place. Not part of what
    /// a service *is*: an edit that only moves lines changes nothing.
    #[serde(with = "super::origin")]
    pub origins: BTreeMap<String, Origin>,
    /// Every file that was read, for telling that one has changed since.
    pub sources: Vec<Source>,
    /// The secret variables of all env files: `{{env.KEY}}` sees those, too, that an `env` node
    /// has laid another value over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from_files: Vec<(String, EnvValue)>,
}

impl Stack {
    /// The service of that name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }

    /// The task of that name.
    pub fn task(&self, name: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.name == name)
    }

    /// The group of that name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// The services and tasks that a name stands for: itself, or a group's members; none if nothing
    /// has that name.
    pub fn members(&self, name: &str) -> Option<&[String]> {
        let service = self.service(name).map(|service| &service.name);
        let own = service.or_else(|| self.task(name).map(|task| &task.name));
        let group = || self.group(name).map(|group| group.members.as_slice());
        own.map(std::slice::from_ref).or_else(group)
    }

    /// The name of a service, task or group that is most like `name`, if one is close.
    pub fn similar_name(&self, name: &str) -> Option<&str> {
        nearest(name, self.names_and_groups())
    }

    /// What a service or task needs (nothing for a name that is neither).
    pub fn needs(&self, name: &str) -> &[Need] {
        match (self.service(name), self.task(name)) {
            (Some(service), _) => &service.needs,
            (None, Some(task)) => &task.needs,
            (None, None) => &[],
        }
    }

    /// A stack of which nothing is known but its folder.
    pub fn of_folder(folder: &Path) -> Self {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { name, dir: folder.to_owned(), ..Self::default() }
    }

    /// What a service or task comes after, if that is started too.
    pub fn after(&self, name: &str) -> &[String] {
        match (self.service(name), self.task(name)) {
            (Some(service), _) => &service.after,
            (None, Some(task)) => &task.after,
            (None, None) => &[],
        }
    }

    /// The names of all services and tasks, services first, each in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let services = self.services.iter().map(|service| service.name.as_str());
        services.chain(self.tasks.iter().map(|task| task.name.as_str()))
    }

    /// Every name that a command could be given.
    pub fn names_and_groups(&self) -> impl Iterator<Item = &str> {
        self.names().chain(self.groups.iter().map(|group| group.name.as_str()))
    }
}

/// A name for several services, tasks or groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its members, groups in it dissolved, each once.
    pub members: Vec<String>,
}

/// A dependency. Groups have been dissolved into one need for each member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// The service or task that is needed.
    pub name: String,
    /// What it must have reached.
    pub until: NeedUntil,
    /// Whether a restart of it restarts the one that needs it.
    pub follow: bool,
    /// Whether its failure lets the one that needs it go ahead.
    pub optional: bool,
}

impl Need {
    /// A plain need: ready, or done.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), until: NeedUntil::Ready, follow: false, optional: false }
    }
}

/// What a need must have reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NeedUntil {
    /// Ready (a service) or done (a task).
    #[default]
    Ready,
    /// Its process has started.
    Started,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Absolute path.
    #[serde(with = "crate::model::path_text")]
    pub path: PathBuf,
    /// A fingerprint of its bytes (64-bit FNV-1a, hexadecimal); empty for a missing optional file.
    pub fingerprint: String,
}
