//! The stack that a command in some folder means, where no other is named: the nearest upwards.

use std::{
    cell::OnceCell,
    path::{Path, PathBuf},
};

use super::{connect::status_of, error::Error};
use crate::{
    control::Client,
    platform::{self, MarkedStacks, Reached, StackId, StackPaths, Whereabouts},
};

/// The name of the stack file that is looked for.
pub(super) const FILE: &str = "stack.kdl";

/// So far up is looked from a folder that has no name any more.
const DEEPEST: usize = 100;

/// What was found.
#[derive(Debug)]
pub(super) enum Site {
    /// A stack file.
    File(PathBuf),
    /// A stack that runs, and whose file is gone, or its folder.
    Running(StackPaths),
    /// What lasts of a stack that had a file.
    Stopped { from: PathBuf, places: StackPaths },
    /// Nothing.
    Nothing { from: PathBuf },
}

/// Looks from the present folder upwards.
pub(super) fn nearest() -> Result<Site, Error> {
    let from = match std::env::current_dir() {
        Ok(from) => from,
        Err(error) => {
            let removed = above_removed();
            return removed.map(Site::Running).ok_or(Error::Io { path: ".".into(), error });
        }
    };
    let living = Living::default();
    for folder in from.ancestors() {
        let file = folder.join(FILE);
        if is_there(&file) {
            return Ok(Site::File(file));
        }
        let runs = |places: &StackPaths| runs_without_file(places, &living);
        if let Some(places) = StackPaths::of(folder).ok().filter(runs) {
            return Ok(Site::Running(places));
        }
    }
    let mut places = from.ancestors().filter_map(|folder| StackPaths::of(folder).ok());
    let stopped = places.find(|places| places.state.is_dir());
    Ok(match stopped {
        Some(places) => Site::Stopped { from, places },
        None => Site::Nothing { from },
    })
}

/// Whether there is something by that name to be read, or to be told that it cannot be.
pub(super) fn is_there(file: &Path) -> bool {
    file.metadata().is_ok_and(|there| !there.is_dir())
}

/// Whether a stack runs in a folder that has no stack file of the usual name, and its own is gone,
/// whatever that is called: otherwise it is meant only where it is named.
fn runs_without_file(places: &StackPaths, living: &Living) -> bool {
    if !is_held(places) && !living.includes(places.id) {
        return false;
    }
    match Client::connect(places) {
        Ok(Some(mut client)) => {
            status_of(&mut client).is_ok_and(|status| !is_there(&places.folder.join(status.file)))
        }
        Ok(None) => false,
        // The command itself finds the same, and says so.
        Err(_) => true,
    }
}

/// The stacks of which processes live, by whatever keeper: looked up once, where no stack file tells.
#[derive(Default)]
struct Living(OnceCell<MarkedStacks>);

impl Living {
    fn includes(&self, stack: StackId) -> bool {
        self.0.get_or_init(|| MarkedStacks::read().unwrap_or_default()).include(stack)
    }
}

fn is_held(places: &StackPaths) -> bool {
    matches!(platform::reach(&places.control()), Reached::Keeper(..) | Reached::Full)
}

/// The running stack in a folder that was removed, in which this process still is, or above it.
fn above_removed() -> Option<StackPaths> {
    let living = Living::default();
    let mut folder = PathBuf::from(".");
    for _ in 0..DEEPEST {
        let places = StackPaths::of(&folder).ok()?;
        if is_held(&places) || living.includes(places.id) {
            return Some(places);
        }
        if places.folder == Path::new("/") || places.present_name().1 == Whereabouts::There {
            return None;
        }
        folder.push("..");
    }
    None
}
