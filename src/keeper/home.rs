//! The runtime folder: made anew when somebody has removed it, be it a tidy person or the
//! machine's own broom. What is connected and what runs does not need it; who comes next does.

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixListener,
    },
    sync::{Arc, Mutex, PoisonError},
};

use rustix::fs::Mode;

use super::keep::{HOME, Keeper};
use crate::platform::{FolderWatch, Places};

/// The listening control socket, for this supervisor and the next ones.
#[derive(Debug, Clone)]
pub(super) struct Control(Arc<Mutex<Arc<OwnedFd>>>);

impl Control {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self(Arc::new(Mutex::new(Arc::new(socket))))
    }

    /// The one in force.
    pub(super) fn socket(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, socket: OwnedFd) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(socket);
    }
}

/// Whoever has the lock may put its socket in place of an old one.
pub(super) fn listen(places: &Places) -> io::Result<OwnedFd> {
    let path = places.socket();
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    rustix::fs::chmod(&path, Mode::RUSR | Mode::WUSR)?;
    listener.set_nonblocking(true)?;
    Ok(listener.into())
}

impl Keeper {
    /// Watches the runtime folder. Where that cannot be had, a folder that vanishes is not made
    /// anew, and the next command says who holds the stack.
    pub(super) fn watch_home(&mut self) {
        if let Some(watch) = self.home.take() {
            self.poller.remove(&watch);
        }
        let watch = FolderWatch::new(&self.places.runtime);
        self.home = watch.ok().filter(|watch| self.poller.add(watch.as_fd(), HOME).is_ok());
    }

    /// Something in the runtime folder is gone: if it is the way in, makes everything anew.
    pub(super) fn look_home(&mut self) {
        if let Some(watch) = &self.home {
            watch.clear();
        }
        if self.places.socket().exists() {
            return;
        }
        let made = self.places.create_runtime().map_err(io::Error::other);
        match made.and_then(|()| listen(&self.places)) {
            Ok(socket) => {
                self.estate.control.replace(socket);
                self.watch_home();
                self.rewrite_journal();
                // The next supervisor is given the new socket, and loses nothing.
                self.hear_out();
                self.hang_up();
                let folder = self.places.runtime.display();
                self.trouble(format!("{folder} had been removed; it was made anew"));
            }
            Err(error) => {
                let folder = self.places.runtime.display();
                self.trouble(format!("{folder} was removed, and cannot be made anew: {error}"));
            }
        }
    }
}
