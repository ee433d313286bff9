//! The folders that the system is told to watch, by every name under which they are meant.
//!
//! The system knows a folder once, whatever leads to it, so it is told the real path; what it
//! tells is given back under each name. A file behind a link is such a name, too: its folder is
//! watched where it really is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

/// What is watched.
#[derive(Debug, Default)]
pub(super) struct Folders {
    watcher: Option<RecommendedWatcher>,
    /// What each name leads to.
    real: BTreeMap<PathBuf, PathBuf>,
    /// The names of each.
    names: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
}

impl Folders {
    /// None yet.
    pub(super) fn new(watcher: RecommendedWatcher) -> Self {
        Self { watcher: Some(watcher), ..Self::default() }
    }

    /// Whether that is the name of a folder which is watched.
    pub(super) fn contains(&self, name: &Path) -> bool {
        self.real.contains_key(name)
    }

    /// What the system calls `path`, by the names under which it is meant.
    pub(super) fn names_of(&self, path: &Path) -> BTreeSet<PathBuf> {
        let own = self.names.get(path).into_iter().flatten().cloned();
        let within = path.parent().and_then(|folder| self.names.get(folder)).into_iter().flatten();
        own.chain(
            within
                .zip(path.file_name().into_iter().cycle())
                .map(|(folder, file)| folder.join(file)),
        )
        .collect()
    }

    /// Watches a folder, but not what is below it.
    ///
    /// # Errors
    /// The system's: too many watches, most likely.
    pub(super) fn add(&mut self, name: &Path) -> Result<(), String> {
        let Some(watcher) = &mut self.watcher else { return Ok(()) };
        // What has gone meanwhile is told of by the folder above.
        let Ok(real) = name.canonicalize() else { return Ok(()) };
        if self.real.get(name) == Some(&real) {
            return Ok(());
        }
        if !self.names.contains_key(&real) {
            let watched = watcher.watch(&real, RecursiveMode::NonRecursive);
            watched.map_err(|error| match error.kind {
                notify::ErrorKind::MaxFilesWatch => format!(
                    "{}: there are too many folders (raise the limit \
                     fs.inotify.max_user_watches, or leave some out in .gitignore)",
                    name.display()
                ),
                _ => format!("{}: {error}", name.display()),
            })?;
        }
        self.name(name, real);
        Ok(())
    }

    /// Watches a folder and those below it, so many levels deep, but for those that are `skipped`.
    /// Links to files are watched where they lead to if they are `wanted`; links to folders below
    /// the first are not followed.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub(super) fn add_below(
        &mut self,
        root: &Path,
        levels: usize,
        wanted: impl Fn(&Path) -> bool,
        skipped: impl Fn(&Path) -> bool,
    ) -> Result<(), String> {
        let mut folders = vec![(root.to_owned(), levels)];
        while let Some((folder, levels)) = folders.pop() {
            // First: what is made in it from now on is told.
            self.add(&folder)?;
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
                if kind.is_dir() && levels > 0 && !skipped(&path) {
                    folders.push((path, levels - 1));
                } else if kind.is_symlink() && wanted(&path) {
                    self.follow(&path)?;
                }
            }
        }
        Ok(())
    }

    /// Watches the file to which a link leads.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub(super) fn follow(&mut self, link: &Path) -> Result<(), String> {
        let file = link.canonicalize().ok().filter(|file| file.is_file());
        let Some(file) = file else { return Ok(()) };
        if let Some(folder) = file.parent() {
            self.add(folder)?;
        }
        self.name(link, file);
        Ok(())
    }

    /// What was watched under this name, and below it, is gone, or something else by now.
    pub(super) fn forget(&mut self, name: &Path) {
        let gone = self.real.range(name.to_owned()..).map(|(name, _)| name);
        let gone: Vec<PathBuf> = gone.take_while(|path| path.starts_with(name)).cloned().collect();
        gone.iter().for_each(|name| self.drop_name(name));
    }

    /// All are gone, or others by now.
    pub(super) fn clear(&mut self) {
        self.real.clear();
        self.names.clear();
    }

    fn name(&mut self, name: &Path, real: PathBuf) {
        self.drop_name(name);
        self.names.entry(real.clone()).or_default().insert(name.to_owned());
        self.real.insert(name.to_owned(), real);
    }

    fn drop_name(&mut self, name: &Path) {
        let Some(real) = self.real.remove(name) else { return };
        let Some(names) = self.names.get_mut(&real) else { return };
        names.remove(name);
        if names.is_empty() {
            self.names.remove(&real);
            if let Some(watcher) = &mut self.watcher {
                // The system has mostly done so by itself; of a file it was never told.
                let _gone_already = watcher.unwatch(&real);
            }
        }
    }
}

/// The files in a folder and below it, but for folders that are skipped.
pub(super) fn files_below(folder: &Path, skipped: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.extend((!skipped(&path)).then_some(path)),
                Ok(_) => files.push(path),
                Err(_gone) => {}
            }
        }
    }
    files
}
