//! One `watch` node: which paths it is about, and how it has fared.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use ignore::gitignore::Gitignore;
use tokio::{sync::mpsc, task::AbortHandle};

use crate::{
    event::Tick,
    executor::Internal,
    model::{STATE_FOLDER, Watch},
};

/// A folder in which matches may appear.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) folder: PathBuf,
    /// How many levels of folders below it may have matches, too.
    pub(super) levels: usize,
}

impl Root {
    /// The folder up to the first wildcard; as deep as the pattern reaches.
    fn of(glob: &str) -> Self {
        let fixed = glob.split(['*', '?', '[', '{']).next().unwrap_or("");
        let (folder, rest) = glob.split_at(fixed.rfind('/').unwrap_or(0));
        let levels = match rest.contains("**") {
            true => usize::MAX,
            // That of the first one is the folder's own.
            false => rest.matches('/').count().saturating_sub(1),
        };
        Self { folder: folder.into(), levels }
    }

    /// How many levels below this folder may have matches; `None` if it has none itself.
    pub(super) fn levels_below(&self, folder: &Path) -> Option<usize> {
        let below = folder.strip_prefix(&self.folder).ok()?.components().count();
        self.levels.checked_sub(below)
    }
}

/// One `watch` node.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) service: String,
    pub(super) watch: Watch,
    wanted: GlobSet,
    ignored: GlobSet,
    /// The stack's folder, above which no `.gitignore` counts.
    pub(super) root: PathBuf,
    pub(super) roots: Vec<Root>,
    /// Paths without wildcards: watched whatever `.gitignore` says.
    pub(super) literal: BTreeSet<PathBuf>,
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
    pub(super) fn new(service: String, watch: Watch, root: &Path) -> Result<Self, String> {
        let literal = watch.globs.iter().filter(|glob| !has_wildcards(glob));
        let literal: BTreeSet<PathBuf> = literal.map(PathBuf::from).collect();
        let roots = watch.globs.iter().map(|glob| Root::of(glob));
        // A folder's name means all that is in it.
        let named = literal.iter().map(|path| Root { folder: path.clone(), levels: usize::MAX });
        let roots = roots.chain(named).collect();
        let wanted = glob_set(&watch.globs)?;
        let ignored = glob_set(&watch.ignore)?;
        Ok(Self {
            service,
            watch,
            wanted,
            ignored,
            root: root.to_owned(),
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

    pub(super) fn concerns(&self, path: &Path) -> bool {
        if path.components().any(|part| part.as_os_str() == STATE_FOLDER) {
            return false;
        }
        let is_in_a_folder =
            || path.ancestors().skip(1).any(|folder| self.literal.contains(folder));
        self.literal.contains(path)
            || ((self.wanted.is_match(path) || is_in_a_folder())
                && !self.ignored.is_match(path)
                && !ignored_by_git(path, false, &self.root))
    }
}

/// Whether a `.gitignore` between the file and `root` leaves it out; the nearest has the say.
pub(super) fn ignored_by_git(path: &Path, is_folder: bool, root: &Path) -> bool {
    let folders = path.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
    for folder in folders {
        let file = folder.join(".gitignore");
        // A named pipe of that name would be waited for.
        if !file.is_file() {
            continue;
        }
        let (rules, _) = Gitignore::new(file);
        match rules.matched_path_or_any_parents(path, is_folder) {
            ignore::Match::None => {}
            ignore::Match::Ignore(_) => return true,
            ignore::Match::Whitelist(_) => return false,
        }
    }
    false
}

fn has_wildcards(glob: &str) -> bool {
    glob.contains(['*', '?', '[', '{'])
}

fn glob_set(globs: &[String]) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        let glob: Glob = GlobBuilder::new(glob)
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
        let root = |glob| {
            let root = Root::of(glob);
            (root.folder.display().to_string(), root.levels)
        };
        assert_eq!(root("/s/.restart"), ("/s".into(), 0));
        assert_eq!(root("/s/src/*.js"), ("/s/src".into(), 0));
        assert_eq!(root("/s/src/*/a.js"), ("/s/src".into(), 1));
        assert_eq!(root("/s/s{a,b/c}/*.js"), ("/s".into(), 2));
        assert_eq!(root("/s/src/**/*.js"), ("/s/src".into(), usize::MAX));
        let below = |folder: &str| Root::of("/s/src/*/a.js").levels_below(Path::new(folder));
        assert_eq!(below("/s/src"), Some(1));
        assert_eq!(below("/s/src/a"), Some(0));
        assert_eq!(below("/s/src/a/b"), None);
        assert_eq!(below("/s"), None);
    }
}
