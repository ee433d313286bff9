//! One `watch` node: which paths it is about, and how it has fared.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use tokio::{sync::mpsc, task::AbortHandle};

use super::git::GitRules;
use crate::{
    event::Tick,
    executor::Internal,
    model::{
        STATE_FOLDER, Watch,
        glob::{self, Reach},
    },
};

/// One `watch` node.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) service: String,
    pub(super) watch: Watch,
    wanted: GlobSet,
    ignored: GlobSet,
    git: Rc<GitRules>,
    /// The stack's folder.
    pub(super) stack: PathBuf,
    /// The folders in which matches may appear.
    pub(super) roots: Vec<Reach>,
    /// Paths without wildcards: watched whatever git ignores.
    literal: BTreeSet<PathBuf>,
    /// The end of the debounce that is running.
    pub(super) pending: Option<AbortHandle>,
    /// How many changes in a row came right after a start.
    pub(super) soon: u32,
    /// The service changes what it watches: enough, since then.
    pub(super) paused: Option<Tick>,
    /// The change before this one.
    pub(super) last: Option<Tick>,
}

impl Entry {
    pub(super) fn new(
        service: String,
        watch: Watch,
        stack: &Path,
        git: &Rc<GitRules>,
    ) -> Result<Self, String> {
        let literal = watch.globs.iter().filter_map(|glob| glob::literal(glob));
        let literal: BTreeSet<PathBuf> = literal.map(PathBuf::from).collect();
        let roots = watch.globs.iter().map(|pattern| glob::reach(pattern));
        // A folder's name means all that is in it.
        let named = literal.iter().map(|path| Reach { folder: path.clone(), levels: None });
        let roots = roots.chain(named).collect();
        let wanted = glob_set(&watch.globs)?;
        let ignored = glob_set(&watch.ignore)?;
        Ok(Self {
            service,
            watch,
            wanted,
            ignored,
            git: Rc::clone(git),
            stack: stack.to_owned(),
            literal,
            roots,
            pending: None,
            soon: 0,
            paused: None,
            last: None,
        })
    }

    pub(super) fn await_quiet(
        &mut self,
        watch: usize,
        path: PathBuf,
        delay: Duration,
        quiet: &mpsc::UnboundedSender<Internal>,
    ) {
        let quiet = quiet.clone();
        let waiting = tokio::task::spawn_local(async move {
            tokio::time::sleep(delay).await;
            let _ = quiet.send(Internal::Quiet { watch, path });
        });
        if let Some(before) = self.pending.replace(waiting.abort_handle()) {
            before.abort();
        }
    }

    /// A path that it may stand for.
    pub(super) fn example(&self) -> Option<PathBuf> {
        self.watch.globs.first().map(PathBuf::from)
    }

    /// Whether a change of this file counts.
    pub(super) fn concerns(&self, path: &Path) -> bool {
        if path.components().any(|part| part.as_os_str() == STATE_FOLDER) {
            return false;
        }
        self.literal.contains(path)
            || ((self.wanted.is_match(path) || self.named_folder(path).is_some())
                && !self.leaves_out(path, false))
    }

    /// Whether nothing in this folder counts, nor in those below it.
    pub(super) fn skips(&self, folder: &Path) -> bool {
        let is_internal = |name| name == STATE_FOLDER || name == ".git";
        folder.file_name().is_some_and(is_internal)
            || (self.leaves_out(folder, true)
                && !self.literal.iter().any(|path| path.starts_with(folder)))
    }

    /// The folder above a path that is watched by its name.
    fn named_folder<'p>(&self, path: &'p Path) -> Option<&'p Path> {
        path.ancestors().skip(1).find(|folder| self.literal.contains(*folder))
    }

    /// Whether an `ignore` or git leaves out a path, or a folder above it. Where a folder that is
    /// watched by its name is ignored by git, nothing in it is.
    fn leaves_out(&self, path: &Path, is_folder: bool) -> bool {
        path.ancestors().any(|path| self.ignored.is_match(path))
            || (self.git.ignores(path, is_folder)
                && !self.named_folder(path).is_some_and(|folder| self.git.ignores(folder, true)))
    }
}

/// How many levels below a folder what is below a root may be in; `None` if not even in itself.
pub(super) fn levels_below(root: &Reach, folder: &Path) -> Option<usize> {
    let below = folder.strip_prefix(&root.folder).ok()?.components().count();
    root.levels.map_or(Some(usize::MAX), |levels| levels.checked_sub(below))
}

fn glob_set(globs: &[String]) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        // `gen/` is the folder `gen`.
        let glob: Glob = GlobBuilder::new(glob.trim_end_matches('/'))
            .literal_separator(true)
            .build()
            .map_err(|error| error.to_string())?;
        set.add(glob);
    }
    set.build().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_deeper_than_the_pattern_reaches() {
        let root = glob::reach("/s/src/*/a.js");
        let below = |folder: &str| levels_below(&root, Path::new(folder));
        assert_eq!(below("/s/src"), Some(1));
        assert_eq!(below("/s/src/a"), Some(0));
        assert_eq!(below("/s/src/a/b"), None);
        assert_eq!(below("/s"), None);
    }
}
