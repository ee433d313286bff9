//! Who holds a port, as seen from one stack.

use std::{net::IpAddr, path::Path};

use super::error::Error;
use crate::{
    platform::{Holder, Places},
    status::Status,
};

/// Who holds a port, as seen from one stack.
#[derive(Debug)]
pub(super) struct Holding {
    pub(super) holder: Holder,
    pub(super) ours: Ours,
}

/// Whether a holder is of the stack that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ours {
    /// One of its services, which runs.
    Running,
    /// What an earlier start of it has left.
    Leftover,
    No,
}

/// Looks who holds a port, as seen from the stack in this folder; `host` is the address that is
/// to be had, where the file gives one.
pub(super) fn look(
    port: u16,
    host: Option<IpAddr>,
    folder: &Path,
    status: &Status,
) -> Result<Holding, Error> {
    let holder = Holder::at(port, host)
        .map_err(|error| Error::Other(format!("cannot look at port {port}: {error}")))?;
    let places = Places::of(folder).ok();
    let ours = match &holder {
        Holder::Service { mark, .. } if places.is_some_and(|places| mark.is_of(&places)) => {
            let is_it = |name: &str, generation: u64, pid: Option<u32>| {
                name == mark.name && Some(generation) == mark.generation() && pid.is_some()
            };
            let mut services = status.services.iter();
            match services.any(|s| is_it(&s.name, s.generation, s.pid)) {
                true => Ours::Running,
                false => Ours::Leftover,
            }
        }
        Holder::Service { .. } | Holder::Stranger(_) | Holder::Free | Holder::Hidden { .. } => {
            Ours::No
        }
    };
    Ok(Holding { holder, ours })
}

impl Holding {
    /// Whether a service that wants the port cannot have it, unless somebody is asked.
    pub(super) fn is_in_the_way(&self) -> bool {
        self.ours == Ours::No && self.holder != Holder::Free
    }

    /// In one line.
    pub(super) fn text(&self) -> String {
        match (self.ours, &self.holder) {
            (Ours::Running, Holder::Service { mark, process }) => {
                format!("ours: {}, pid {}", mark.name, process.id.pid)
            }
            (Ours::Leftover, Holder::Service { mark, process }) => {
                format!("held by what an earlier `{}` has left: {process}", mark.name)
            }
            (_, Holder::Free) => "free".into(),
            (_, holder) => format!("held by {holder}"),
        }
    }
}
