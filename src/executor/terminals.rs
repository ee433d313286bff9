//! The terminals of services, held a second time.
//!
//! A terminal hangs up when the last process that holds its master lets go of it, and its service
//! gets SIGHUP (pty(7)). The keeper holds the master; so do we, that a service outlives a keeper
//! that is killed, and we give it to the keeper that comes after. Nothing reads from it here.

use std::{collections::HashMap, os::fd::OwnedFd, time::Duration};

use super::{Internal, state::Executor};
use crate::{keeper::protocol::UnitId, platform};

/// How long the keeper may take to hand a terminal over.
const PATIENCE: Duration = Duration::from_secs(10);

/// The masters, by whose terminal it is.
#[derive(Debug, Default)]
pub(super) struct Terminals(HashMap<UnitId, OwnedFd>);

impl Terminals {
    pub(super) fn hold(&mut self, unit: UnitId, master: OwnedFd) {
        self.0.insert(unit, master);
    }

    pub(super) fn release(&mut self, unit: &UnitId) {
        self.0.remove(unit);
    }

    /// All of them, for another keeper.
    pub(super) fn take(&mut self) -> Vec<OwnedFd> {
        self.0.drain().map(|(_, master)| master).collect()
    }
}

impl Executor {
    /// Asks the keeper for the terminal of a unit, if it has one.
    pub(super) fn ask_for_terminal(&self, unit: &UnitId) {
        if !unit.is_main() || !self.service(&unit.owner).is_some_and(|service| service.tty) {
            return;
        }
        let (internal, unit, path) =
            (self.internal.clone(), unit.clone(), self.places.terminal(&unit.owner));
        tokio::task::spawn_local(async move {
            let asked =
                tokio::task::spawn_blocking(move || platform::terminal_at(&path, PATIENCE)).await;
            // It may have ended already.
            if let Ok(Ok(master)) = asked {
                let _ = internal.send(Internal::Terminal { unit, master });
            }
        });
    }
}
