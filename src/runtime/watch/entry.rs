//! One `watch` node: which paths it is about, and how it has fared.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use ignore::gitignore::Gitignore;
use tokio::{sync::mpsc, task::AbortHandle};

use crate::{event::Tick, model::Watch, runtime::Internal};

/// One `watch` node.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) service: String,
    pub(super) watch: Watch,
    wanted: GlobSet,
    ignored: GlobSet,
    /// The stack's folder, above which no `.gitignore` counts.
    pub(super) root: PathBuf,
    /// The folders in which matches may appear.
    pub(super) roots: Vec<PathBuf>,
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
        let roots = watch.globs.iter().map(|glob| {
            let fixed = glob.split(['*', '?', '[', '{']).next().unwrap_or("");
            PathBuf::from(&fixed[..fixed.rfind('/').unwrap_or(0)])
        });
        // A folder's name means all that is in it.
        let roots = roots.chain(literal.iter().cloned()).collect();
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
        if path.components().any(|part| part.as_os_str() == ".stackrun") {
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
        let (rules, _) = Gitignore::new(folder.join(".gitignore"));
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
