//! Files whose change restarts a service, signals it, or runs a task.
//!
//! One watcher of the system serves all services. It is told folders, not trees: what
//! `.gitignore` leaves out (a `node_modules` of a hundred thousand files) is not even looked at.
//! An editor that saves by renaming a new file into place changes the folder, and is seen.

mod entry;
mod folders;
mod git;

use std::{
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use notify::{EventKind, event::ModifyKind};
use tokio::sync::mpsc;

use self::{
    entry::{Entry, levels_below},
    folders::{Folders, files_below},
    git::GitRules,
};
use super::Internal;
use crate::{
    core::stack::OpId,
    event::Tick,
    model::{
        Stack, Watch, WatchThen,
        glob::{self, Reach},
    },
    platform,
};

/// A change this soon after a start may be the service's own doing.
const SOON: Duration = Duration::from_secs(3);
/// This many of them in a row are. Somebody who saves at each turn, or a script that touches a signal
/// file, gets to ten.
const LOOP: u32 = 20;
/// After nothing has changed for so long a row is over.
const QUIET: Duration = Duration::from_secs(30);
/// While a service is left alone, what changes later than [`SOON`] after its start is somebody
/// else's doing, or its own if it goes on like that: it counts once that has paused for so long.
const CALM: Duration = Duration::from_secs(5);

/// All watched files of a stack.
#[derive(Debug, Default)]
pub(super) struct Watches {
    entries: Vec<Entry>,
    folders: Folders,
    /// The runs of tasks that changes have asked for, and for which `watch`.
    runs: Vec<(OpId, usize)>,
}

/// Something that happened to files.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) paths: Vec<PathBuf>,
    /// Whether there is something new of these names: what was watched under them is gone.
    pub(super) is_new: bool,
    /// Whether so much happened at once that the system could not tell all of it.
    pub(super) is_lossy: bool,
}

/// What is to be done about a change.
#[derive(Debug, PartialEq)]
pub(super) enum Reaction {
    /// This.
    Do(WatchThen),
    /// Nothing from now on: the service changes what it watches itself.
    Paused,
    /// Ask again then, unless something else changes first.
    Later(Duration),
    /// Nothing.
    Nothing,
}

impl Watches {
    /// Watches what a stack says, in place of what was watched before.
    ///
    /// # Errors
    /// The system's: too many watches, most likely.
    pub(super) fn adopt(
        &mut self,
        stack: &Stack,
        changes: &mpsc::UnboundedSender<Internal>,
    ) -> Result<(), String> {
        let declared = stack.services.iter().flat_map(|service| {
            service.watch.iter().map(|watch| (service.name.clone(), watch.clone()))
        });
        let declared: Vec<(String, Watch)> = declared.collect();
        let same = self.entries.iter().map(|entry| (&entry.service, &entry.watch));
        if same.eq(declared.iter().map(|(service, watch)| (service, watch))) {
            return Ok(());
        }
        *self = Self::default();
        if declared.is_empty() {
            return Ok(());
        }
        let changes = changes.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if let Ok(mut event) = event
                && (counts(event.kind) || event.need_rescan())
            {
                if matches!(event.kind, EventKind::Modify(ModifyKind::Metadata(_))) {
                    event.paths.retain(|path| platform::was_touched(path));
                }
                let is_new = matches!(
                    event.kind,
                    EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(_))
                );
                let is_lossy = event.need_rescan();
                let change = Change { paths: event.paths, is_new, is_lossy };
                // The loop has ended if this fails.
                let _ = changes.send(Internal::Changed(change));
            }
        });
        self.folders = Folders::new(watcher.map_err(|error| error.to_string())?);
        let git = Rc::new(GitRules::of(&stack.dir));
        for (service, watch) in declared {
            self.entries.push(Entry::new(service, watch, &stack.dir, &git)?);
        }
        self.watch_all()
    }

    fn watch_all(&mut self) -> Result<(), String> {
        let Self { entries, folders, .. } = self;
        let wanted = |path: &Path| entries.iter().any(|entry| entry.concerns(path));
        let roots =
            entries.iter().flat_map(|entry| entry.roots.iter().map(move |root| (entry, root)));
        for (entry, root) in roots {
            watch_root(folders, root, entry, wanted)?;
        }
        Ok(())
    }

    /// Watches what is new below a root.
    fn watch_below(&mut self, folder: &Path) -> Result<(), String> {
        let Self { entries, folders, .. } = self;
        let wanted = |path: &Path| entries.iter().any(|entry| entry.concerns(path));
        let skipped = |path: &Path| entries.iter().all(|entry| entry.skips(path));
        let roots = entries.iter().flat_map(|entry| &entry.roots);
        match roots.filter_map(|root| levels_below(root, folder)).max() {
            Some(levels) => folders.add_below(folder, levels, wanted, skipped),
            None => Ok(()),
        }
    }

    /// Takes in a change: each `watch` that is concerned waits until it has been quiet.
    pub(super) fn changed(&mut self, change: &Change, quiet: &mpsc::UnboundedSender<Internal>) {
        if change.is_lossy {
            // Nobody knows what it was: anything may be new.
            self.folders.clear();
            let _told_before = self.watch_all();
            let all: Vec<PathBuf> = self.entries.iter().filter_map(Entry::example).collect();
            self.note(&all, quiet);
        }
        let paths = change.paths.iter().flat_map(|path| self.folders.names_of(path));
        let paths: Vec<PathBuf> = paths.collect();
        for path in &paths {
            // A link that leads nowhere may lead to something again.
            if change.is_new || !path.is_dir() && !path.is_symlink() {
                self.folders.forget(path);
            }
            if path.is_symlink() && self.entries.iter().any(|entry| entry.concerns(path)) {
                let _too_many = self.folders.follow(path);
            }
            if !path.is_dir() || self.folders.contains(path) || !self.may_hold(path) {
                continue;
            }
            // A new folder may have been filled before it was watched; its files count as new.
            let _too_many =
                if self.is_above_a_root(path) { self.watch_all() } else { self.watch_below(path) };
            let skipped = |path: &Path| self.entries.iter().all(|entry| entry.skips(path));
            let files = files_below(path, skipped);
            self.note(&files, quiet);
        }
        self.note(&paths, quiet);
    }

    /// Whether matches may be in a folder, or in one that is made there later.
    fn may_hold(&self, folder: &Path) -> bool {
        self.is_above_a_root(folder)
            || self.entries.iter().any(|entry| {
                entry.roots.iter().any(|root| levels_below(root, folder).is_some())
                    && !entry.skips(folder)
            })
    }

    fn is_above_a_root(&self, folder: &Path) -> bool {
        let mut roots = self.entries.iter().flat_map(|entry| &entry.roots);
        roots.any(|root| root.folder.starts_with(folder))
    }

    fn note(&mut self, paths: &[PathBuf], quiet: &mpsc::UnboundedSender<Internal>) {
        for (index, entry) in self.entries.iter_mut().enumerate() {
            let Some(path) = paths.iter().find(|path| entry.concerns(path)) else { continue };
            entry.await_quiet(index, path.clone(), entry.watch.debounce, quiet);
        }
    }

    /// Asks about a change again after so long, unless something else changes first.
    pub(super) fn put_off(
        &mut self,
        watch: usize,
        path: PathBuf,
        delay: Duration,
        quiet: &mpsc::UnboundedSender<Internal>,
    ) {
        if let Some(entry) = self.entries.get_mut(watch) {
            entry.await_quiet(watch, path, delay, quiet);
        }
    }

    /// Whether a run has been asked for that comes after the one under way.
    pub(super) fn has_run_ahead(&self, watch: usize) -> bool {
        self.runs.iter().filter(|(_, of)| *of == watch).count() > 1
    }

    /// A run has been asked for.
    pub(super) fn runs(&mut self, watch: usize, op: OpId) {
        self.runs.push((op, watch));
    }

    /// Something that was asked for is over.
    pub(super) fn ran(&mut self, op: OpId) {
        self.runs.retain(|(run, _)| *run != op);
    }

    /// The service of a `watch`.
    pub(super) fn service(&self, watch: usize) -> Option<&str> {
        Some(&self.entries.get(watch)?.service)
    }

    /// What of a service's files is not acted upon, because it changes them itself after each start;
    /// `started` is its present one.
    pub(super) fn paused(&self, service: &str, started: Tick) -> Vec<String> {
        let of_it = self.entries.iter().filter(|entry| entry.service == service);
        let paused = of_it.filter(|entry| entry.paused.is_some_and(|paused| started <= paused));
        let shown = paused.map(|entry| {
            let globs = entry.watch.globs.iter().map(|glob| {
                let stack = glob::escape(&entry.stack.to_string_lossy());
                let inside = glob.strip_prefix(&stack).map(|inside| inside.trim_start_matches('/'));
                inside.unwrap_or(glob).to_owned()
            });
            let globs = globs.collect::<Vec<_>>().join(" ");
            format!(
                "it changes what it watches ({globs}) after each start: that watch is paused; \
                 leave the files out with `ignore`"
            )
        });
        shown.collect()
    }

    /// What to do about a change of a service that was started at `started`, if it is up.
    pub(super) fn react(&mut self, watch: usize, started: Option<Tick>) -> Reaction {
        let Some(entry) = self.entries.get_mut(watch) else { return Reaction::Nothing };
        entry.pending = None;
        let Some(started) = started else { return Reaction::Nothing };
        let now = platform::now();
        let paused_for = entry.last.replace(now).map_or(QUIET, |last| now.since(last));
        // Somebody has started it since, or whatever it was is over.
        if paused_for >= QUIET || entry.paused.is_some_and(|paused| started > paused) {
            entry.paused = None;
            entry.soon = 0;
        }
        let soon = now.since(started) < SOON + entry.watch.debounce;
        match entry.paused {
            Some(_) if soon => return Reaction::Nothing,
            Some(_) if paused_for < CALM => return Reaction::Later(CALM),
            Some(_) => {
                entry.paused = None;
                // The next one of its own is enough.
                entry.soon = LOOP;
                return Reaction::Do(entry.watch.then.clone());
            }
            None => {}
        }
        entry.soon = if soon { entry.soon + 1 } else { 0 };
        if entry.soon > LOOP {
            entry.paused = Some(now);
            return Reaction::Paused;
        }
        Reaction::Do(entry.watch.then.clone())
    }
}

/// Watches a root, and the folders above it from the stack's on: they tell when the next one is made,
/// or another one, or a link that leads elsewhere.
fn watch_root(
    folders: &mut Folders,
    root: &Reach,
    entry: &Entry,
    wanted: impl Fn(&Path) -> bool,
) -> Result<(), String> {
    let stack = &entry.stack;
    let above = || root.folder.ancestors().skip(1);
    let inside: Vec<&Path> = above().take_while(|folder| folder.starts_with(stack)).collect();
    // From above: whatever is made after one is watched is told.
    for folder in inside.iter().rev() {
        folders.add(folder)?;
    }
    // Outside of the stack the nearest folder that is there will do.
    let is_outside = !root.folder.starts_with(stack);
    let nearest = || above().find(|folder| is_outside && folder.is_dir());
    let mut told = None;
    while let Some(folder) = nearest().filter(|folder| told != Some(*folder)) {
        folders.add(folder)?;
        told = Some(folder);
    }
    match root.folder.is_dir() {
        true => {
            let levels = root.levels.unwrap_or(usize::MAX);
            folders.add_below(&root.folder, levels, wanted, |path| entry.skips(path))
        }
        false => Ok(()),
    }
}

/// Whether a change of this kind can mean new content.
pub(super) fn counts(kind: EventKind) -> bool {
    match kind {
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Any | EventKind::Other => true,
        EventKind::Modify(ModifyKind::Metadata(kind)) => {
            // `touch` is how a signal file is used.
            matches!(
                kind,
                notify::event::MetadataKind::WriteTime | notify::event::MetadataKind::Any
            )
        }
        EventKind::Modify(_) => true,
        EventKind::Access(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(dir: &Path, globs: &[&str], ignore: &[&str]) -> Entry {
        let absolute =
            |globs: &[&str]| globs.iter().map(|glob| format!("{}/{glob}", dir.display())).collect();
        let watch = Watch {
            globs: absolute(globs),
            ignore: absolute(ignore),
            debounce: Duration::from_millis(300),
            then: WatchThen::Restart,
        };
        Entry::new("api".into(), watch, dir, &Rc::new(GitRules::of(dir))).unwrap()
    }

    #[test]
    fn what_git_ignores_is_left_out_unless_named() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        std::fs::create_dir_all(dir.join("src/gen")).unwrap();
        std::fs::write(dir.join(".gitignore"), "*.log\n.restart\n").unwrap();
        std::fs::write(dir.join("src/gen/.gitignore"), "*\n!kept.js\n").unwrap();
        let entry = entry(dir, &["src/**/*", ".restart"], &["src/**/*.test.js"]);
        let concerned = |path: &str| entry.concerns(&dir.join(path));
        assert!(concerned("src/a.js") && concerned("src/deep/b.js"));
        assert!(!concerned("a.js"));
        assert!(!concerned("src/a.test.js"));
        assert!(!concerned("src/out.log"));
        assert!(!concerned("src/gen/made.js") && concerned("src/gen/kept.js"));
        assert!(concerned(".restart"), "a path without wildcards is watched even so");
        assert!(!concerned("src/.stackrun/logs/api.log"));
    }

    #[test]
    fn a_folder_that_is_left_out_is_so_with_all_that_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        std::fs::write(dir.join(".gitignore"), "dist/\n").unwrap();
        let entry = entry(dir, &["**/*.js", "dist"], &["**/node_modules", "src/gen/"]);
        let concerned = |path: &str| entry.concerns(&dir.join(path));
        assert!(concerned("src/a.js"));
        assert!(!concerned("node_modules/a/index.js") && !concerned("src/gen/deep/a.js"));
        assert!(!concerned("packages/x/node_modules/b.js"));
        assert!(concerned("dist/out/a.js"), "named, so that git has no say");
        let skips = |path: &str| entry.skips(&dir.join(path));
        assert!(skips("node_modules") && skips("src/gen") && skips(".git") && !skips("dist"));
    }

    fn before(duration: Duration) -> Tick {
        Tick(platform::now().0 - duration)
    }

    #[test]
    fn a_service_that_changes_what_it_watches_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let entries = vec![entry(folder.path(), &["*.js"], &[])];
        let mut watches = Watches { entries, ..Watches::default() };
        assert_eq!(watches.react(0, None), Reaction::Nothing, "it is down");
        let just_now = Some(platform::now());
        // Whatever came before is long ago.
        assert_eq!(watches.react(0, just_now), Reaction::Do(WatchThen::Restart));
        for _ in 1..LOOP {
            assert_eq!(watches.react(0, just_now), Reaction::Do(WatchThen::Restart));
        }
        assert_eq!(watches.react(0, just_now), Reaction::Paused);
        assert_eq!(watches.react(0, just_now), Reaction::Nothing);
        let long_ago = Some(Tick(Duration::ZERO));
        assert_eq!(watches.react(0, long_ago), Reaction::Later(CALM), "who may go on like that");
        watches.entries[0].last = Some(before(CALM));
        assert_eq!(watches.react(0, long_ago), Reaction::Do(WatchThen::Restart), "somebody else");
        assert_eq!(watches.react(0, just_now), Reaction::Paused, "one of its own is enough");
        let by_hand = Some(platform::now());
        assert_eq!(watches.react(0, by_hand), Reaction::Do(WatchThen::Restart));
    }
}
