//! The runtime folder: made anew when it is taken away, be it by a tidy person, the machine's own
//! broom, or a logout that unmounts the place it was in. What runs and who connects does not need
//! it; a keeper that takes over does.

use std::os::fd::AsFd;

use super::main_loop::{HOME, Keeper};
use crate::platform::{FolderWatch, MountWatch, Poller, RuntimeFolder};

/// The runtime folder, and what tells that it may be gone.
#[derive(Debug)]
pub(super) struct Home {
    folder: RuntimeFolder,
    /// Where these cannot be had, one that vanishes is not made anew.
    watch: Option<FolderWatch>,
    mounts: Option<MountWatch>,
}

impl Home {
    pub(super) fn new(folder: RuntimeFolder) -> Self {
        Self { folder, watch: None, mounts: None }
    }

    /// Has a poller tell when to look. A mount that is taken away while it is in use is told by
    /// the table of mounts alone.
    fn watch(&mut self, poller: &Poller) {
        if let Some(watch) = self.watch.take() {
            poller.remove(&watch);
        }
        let watch = FolderWatch::new(self.folder.path()).ok();
        self.watch = watch.filter(|watch| poller.add(watch.as_fd(), HOME).is_ok());
        if self.mounts.is_none() {
            let mounts = MountWatch::new().ok();
            self.mounts = mounts.filter(|mounts| poller.add_urgent(mounts, HOME).is_ok());
        }
    }
}

/// How often the folder is looked at in a row, until it is as it should be.
const LOOKS: usize = 100;

impl Keeper {
    /// Watches the runtime folder, which is the only one of this stack from now on.
    pub(super) fn watch_home(&mut self) {
        self.home.folder.remove_others(self.places.id);
        self.home.watch(&self.poller);
    }

    /// Something in the runtime folder is gone, or something was mounted: if the folder or the
    /// record in it is not there any more, makes it anew.
    pub(super) fn look_home(&mut self) {
        if let Some(watch) = &self.home.watch {
            watch.clear();
        }
        // Whoever removes it may be at it still: it is right once a look finds it right.
        for _ in 0..LOOKS {
            match (self.home.folder.is_in_place(), self.places.units().exists()) {
                (true, true) => return,
                (true, false) => self.rewrite_journal(),
                (false, _) if self.make_home() => {}
                (false, _) => return,
            }
        }
    }

    /// Makes the runtime folder anew, elsewhere if need be; whether that was possible.
    fn make_home(&mut self) -> bool {
        let before = self.places.runtime.display().to_string();
        match RuntimeFolder::make(self.places.id, &self.places.folder, None) {
            Ok(folder) => {
                folder.path().clone_into(&mut self.places.runtime);
                self.home.folder = folder;
                self.journal.move_to(self.places.units());
                // First, so that nothing that is removed from now on is missed.
                self.watch_home();
                self.rewrite_journal();
                let now = self.places.runtime.display().to_string();
                let place = if now == before { String::new() } else { format!(" as {now}") };
                self.trouble(format!("{before} had been removed; it was made anew{place}"));
                true
            }
            Err(error) => {
                self.trouble_once(format!(
                    "{before} was removed, and cannot be made anew ({error}): everything goes on, \
                     but if stackrun's keeper is killed now, nobody can take over from it"
                ));
                false
            }
        }
    }

    /// The stack's folder may have another name by now.
    pub(super) fn note_name(&mut self) {
        if self.places.moved().is_some() {
            self.places.rename();
            // Without it nobody but the keeper tells where the stack is.
            let _full = self.home.folder.name(&self.places.folder);
        }
    }
}
