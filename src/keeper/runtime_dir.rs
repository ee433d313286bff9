//! The runtime folder: made again when it is taken away, be it by a user who cleans up, by the
//! machine's own cleaner, or by a logout that unmounts the place it was in. What runs and who
//! connects does not need it; a keeper that takes over does.

use std::os::fd::AsFd;

use super::io::{Io, RUNTIME_DIR, Sources};
use crate::platform::{FolderWatch, MountWatch, RuntimeFolder, StackId};

/// The runtime folder, and what tells that it may be gone.
#[derive(Debug)]
pub(super) struct RuntimeDir {
    folder: RuntimeFolder,
    /// Where these cannot be had, one that vanishes is not made again.
    watch: Option<FolderWatch>,
    mounts: Option<MountWatch>,
}

/// How often the folder is looked at in a row, until it is as it should be.
const LOOKS: usize = 100;

impl RuntimeDir {
    pub(super) fn new(folder: RuntimeFolder) -> Self {
        Self { folder, watch: None, mounts: None }
    }

    /// Watches the runtime folder, which is the only one of this stack from now on. A mount that
    /// is taken away while it is in use is told by the table of mounts alone.
    pub(super) fn watch(&mut self, stack: StackId, sources: &Sources) {
        self.folder.remove_others(stack);
        let poller = sources.poller();
        if let Some(watch) = self.watch.take() {
            poller.remove(&watch);
        }
        let watch = FolderWatch::new(self.folder.path()).ok();
        self.watch = watch.filter(|watch| poller.add(watch.as_fd(), RUNTIME_DIR).is_ok());
        if self.mounts.is_none() {
            let mounts = MountWatch::new().ok();
            self.mounts = mounts.filter(|it| poller.add_urgent(it, RUNTIME_DIR).is_ok());
        }
    }

    /// Something in the runtime folder is gone, or something was mounted: if the folder or the
    /// journal in it is not there any more, makes it again, and has the journal written by
    /// `rewrite`.
    pub(super) fn restore(&mut self, io: &mut Io, mut rewrite: impl FnMut(&mut Io)) {
        if let Some(watch) = &self.watch {
            watch.clear();
        }
        // It may still be being removed: it is right once a look finds it right.
        for _ in 0..LOOKS {
            match (self.folder.is_in_place(), io.paths.units().exists()) {
                (true, true) => return,
                (true, false) => rewrite(io),
                (false, _) if self.make_again(io) => rewrite(io),
                (false, _) => return,
            }
        }
    }

    /// Makes the folder again, elsewhere if need be; whether that was possible.
    fn make_again(&mut self, io: &mut Io) -> bool {
        let before = io.paths.runtime.display().to_string();
        match RuntimeFolder::make(io.paths.id, &io.paths.folder, None) {
            Ok(folder) => {
                folder.path().clone_into(&mut io.paths.runtime);
                self.folder = folder;
                io.journal.move_to(io.paths.units());
                // First, so that nothing that is removed from now on is missed.
                self.watch(io.paths.id, &io.sources);
                let now = io.paths.runtime.display().to_string();
                let place = if now == before { String::new() } else { format!(" as {now}") };
                io.outbox.trouble(format!("{before} was removed and has been recreated{place}"));
                true
            }
            Err(error) => {
                io.outbox.trouble_once(format!(
                    "{before} was removed and cannot be recreated ({error}): services keep \
                     running, but if stackrun's keeper is killed now, they cannot be recovered"
                ));
                false
            }
        }
    }

    /// The stack's folder may have been renamed.
    pub(super) fn note_name(&self, io: &mut Io) {
        if io.paths.moved().is_some() {
            io.paths.rename();
            // Without it only the keeper tells where the stack is.
            let _full = self.folder.name(&io.paths.folder);
        }
    }
}
