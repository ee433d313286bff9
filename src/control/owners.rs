//! Whose a process is: asked of the supervisors of all running stacks, since a mark in an
//! environment is lost where a server overwrites that to show a title.

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    sync::mpsc,
    thread,
    time::Duration,
};

use super::{Client, Reply, Request, protocol::Owned};
use crate::{
    model::shell_word,
    platform::{self, Endpoint, Mark, RuntimeFolder, StackId, StackPaths},
};

/// How long all stacks together have to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The service, or the task, of a stack that a process belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessOwner {
    /// The stack's name.
    pub stack: String,
    /// Which stack it is.
    pub id: StackId,
    /// Its folder.
    pub folder: PathBuf,
    /// The service or task.
    pub name: String,
    /// Whether no other running stack, nor the one that asks, is called so.
    pub is_only: bool,
}

impl ProcessOwner {
    /// The owner that a mark tells, where its stack does not answer.
    pub fn of_mark(mark: &Mark) -> Option<Self> {
        let id = mark.stack.parse().ok()?;
        let StackPaths { folder, .. } = StackPaths::of_stack(id)?;
        let stack = folder.file_name()?.to_string_lossy().into_owned();
        Some(Self { stack, id, folder, name: mark.name.clone(), is_only: false })
    }

    /// The command that stops it, from any folder.
    pub fn stop(&self) -> String {
        let stack = match self.is_only {
            true => shell_word(&self.stack),
            false => self.id.to_string(),
        };
        format!("stackrun --stack {stack} down {}", shell_word(&self.name))
    }
}

/// `` `api` of the stack shop in /home/me/shop ``.
impl std::fmt::Display for ProcessOwner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { stack, folder, name, .. } = self;
        write!(f, "`{name}` of the stack {stack} in {}", folder.display())
    }
}

/// The owners of these processes, as far as the running stacks of this user know them; the stack
/// `but` is not asked. `own_name` is the name of the stack that wants to know.
pub fn owners(pids: &[u32], but: Option<StackId>, own_name: &str) -> HashMap<u32, ProcessOwner> {
    let mut found = HashMap::new();
    if pids.is_empty() {
        return found;
    }
    let mut stacks: BTreeSet<StackId> = Endpoint::stacks().into_iter().collect();
    stacks.extend(RuntimeFolder::stacks());
    let (told, answers) = mpsc::channel();
    for stack in stacks.into_iter().filter(|stack| Some(*stack) != but) {
        let (told, pids) = (told.clone(), pids.to_vec());
        thread::spawn(move || told.send(ask(stack, pids)));
    }
    drop(told);
    let deadline = platform::now() + PATIENCE;
    let mut names = Vec::new();
    while let Ok(answer) = answers.recv_timeout(deadline.since(platform::now())) {
        let Some((stack, owners)) = answer else { continue };
        names.push(stack);
        found.extend(owners);
    }
    for owner in found.values_mut() {
        // One in another checkout that is down now has the name, too.
        let count = names.iter().filter(|name| **name == owner.stack).count();
        owner.is_only = owner.stack != own_name && count == 1;
    }
    found
}

/// The name of a stack, and which of these processes are its own.
fn ask(stack: StackId, pids: Vec<u32>) -> Option<(String, Vec<(u32, ProcessOwner)>)> {
    let places = StackPaths::of_stack(stack)?;
    let mut client = Client::connect(&places).ok()??;
    let Ok(Reply::Owners { stack: name, owners }) = client.call(Request::Owners { pids }) else {
        return None;
    };
    let of = |owned: Owned| {
        let (folder, stack) = (places.folder.clone(), name.clone());
        let owner = ProcessOwner { stack, id: places.id, folder, name: owned.name, is_only: true };
        (owned.pid, owner)
    };
    let owners = owners.into_iter().map(of).collect();
    Some((name, owners))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_whose_name_is_another_s_is_told_by_its_identity() {
        let owner = ProcessOwner {
            stack: "my shop".into(),
            id: "00c0ffee00c0ffee".parse().unwrap(),
            folder: PathBuf::from("/home/me/shop"),
            name: "api".into(),
            is_only: true,
        };
        assert_eq!(owner.stop(), "stackrun --stack 'my shop' down api");
        let owner = ProcessOwner { is_only: false, ..owner };
        assert_eq!(owner.stop(), "stackrun --stack 00c0ffee00c0ffee down api");
        assert_eq!(owner.to_string(), "`api` of the stack my shop in /home/me/shop");
    }
}
