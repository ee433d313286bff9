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

    /// What to do for a service to get the port. `stop` is the command that stops whoever holds
    /// it; none where that has just been tried.
    pub(super) fn advice(&self, port: u16, stop: Option<&str>) -> String {
        let choose = "choose another port, or let it use the next free one (`busy=\"next\"`)";
        match (&self.holder, self.ours, stop) {
            (Holder::Free, ..) => format!("port {port} is free by now: try again"),
            (Holder::Service { mark, .. }, Ours::Running, _) => {
                format!("`{}` of this stack has port {port}: give one of them another", mark.name)
            }
            (holder, ..) if holder.own_process().is_none() => {
                let user = holder.user().unwrap_or("another user");
                let who = match user {
                    "root" => "only root can".to_owned(),
                    user => format!("only {user} or root can"),
                };
                format!("port {port} is held by user {user}: {who} stop it; {choose}")
            }
            (.., Some(stop)) => stop.to_owned(),
            (.., None) => {
                format!("something holds port {port} again at once: stop what starts it; {choose}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform;

    fn advice(holder: Holder, stop: Option<&str>) -> String {
        Holding { holder, ours: Ours::No }.advice(80, stop)
    }

    #[test]
    fn whom_only_others_can_stop_is_never_offered_to_be_stopped() {
        let stop = Some("stackrun up --take-ports");
        let hidden = |user: &str| Holder::Hidden { user: user.to_owned() };
        let choose = "choose another port, or let it use the next free one (`busy=\"next\"`)";
        let expected = format!("port 80 is held by user root: only root can stop it; {choose}");
        assert_eq!(advice(hidden("root"), stop), expected);
        let expected = format!(
            "port 80 is held by user www-data: only www-data or root can stop it; {choose}"
        );
        assert_eq!(advice(hidden("www-data"), stop), expected);
        let mut process = platform::describe(std::process::id()).expect("this process");
        assert_eq!(advice(Holder::Stranger(process.clone()), stop), "stackrun up --take-ports");
        assert!(advice(Holder::Stranger(process.clone()), None).contains("again at once"));
        process.user = "somebody".into();
        assert!(advice(Holder::Stranger(process), stop).contains("only somebody or root"));
    }
}
