//! Who holds a port, as seen from one stack.

use std::net::IpAddr;

use super::error::Error;
use crate::{
    control::{ProcessOwner, owners},
    model::Stack,
    platform::{Holder, StackPaths},
};

/// Who holds a port, as seen from one stack.
#[derive(Debug)]
pub(super) struct Holding {
    pub(super) holder: Holder,
    pub(super) owner: Owner,
}

/// Whose the holder of a port is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// A service of the stack that asks, which runs.
    Own(String),
    /// What an earlier start of this service has left.
    Leftover(String),
    /// Another stack's.
    Other(ProcessOwner),
    /// No stack's, or unknown.
    None,
}

/// Looks who holds a port, as seen from this stack; `host` is the address that is to be had, where
/// the file gives one.
pub(super) fn look(port: u16, host: Option<IpAddr>, stack: &Stack) -> Result<Holding, Error> {
    let found = look_at(&[(port, host)], stack)?.into_iter().next();
    found.ok_or_else(|| Error::Other(format!("cannot inspect port {port}")))
}

/// The same for several ports at once, in their order.
pub(super) fn look_at(
    ports: &[(u16, Option<IpAddr>)],
    stack: &Stack,
) -> Result<Vec<Holding>, Error> {
    let holder = |&(port, host): &(u16, Option<IpAddr>)| {
        let failed = |error| Error::Other(format!("cannot inspect port {port}: {error}"));
        Holder::at(port, host).map_err(failed)
    };
    let holders: Vec<Holder> = ports.iter().map(holder).collect::<Result<_, _>>()?;
    let places = StackPaths::of(&stack.dir).ok();
    let pids: Vec<u32> = holders.iter().filter_map(Holder::process).map(|it| it.id.pid).collect();
    let known = owners(&pids, None, &stack.name);
    let with_owner = |holder: Holder| {
        let by_stack = holder.process().and_then(|process| known.get(&process.id.pid));
        let owner = match (by_stack, &holder) {
            (Some(owner), _) if places.as_ref().is_some_and(|own| own.id == owner.id) => {
                Owner::Own(owner.name.clone())
            }
            (Some(owner), _) => Owner::Other(owner.clone()),
            (None, Holder::Service { mark, .. })
                if places.as_ref().is_some_and(|places| mark.is_of(places)) =>
            {
                Owner::Leftover(mark.name.clone())
            }
            (None, Holder::Service { mark, .. }) => {
                ProcessOwner::of_mark(mark).map_or(Owner::None, Owner::Other)
            }
            (None, Holder::Stranger(_) | Holder::Free | Holder::Hidden { .. }) => Owner::None,
        };
        Holding { holder, owner }
    };
    Ok(holders.into_iter().map(with_owner).collect())
}

impl Holding {
    /// The port is free.
    pub(super) fn free() -> Self {
        Self { holder: Holder::Free, owner: Owner::None }
    }

    /// Whether a service that wants the port cannot have it, unless the user is asked.
    pub(super) fn is_in_the_way(&self) -> bool {
        match &self.owner {
            Owner::Other(_) => true,
            Owner::None => self.holder != Holder::Free,
            Owner::Own(_) | Owner::Leftover(_) => false,
        }
    }

    /// Whether the holder may be stopped for the port: it is this user's, and no stack's.
    pub(super) fn may_be_stopped(&self) -> bool {
        let is_stack_s = matches!(self.owner, Owner::Own(_) | Owner::Other(_));
        !is_stack_s && self.holder.own_process().is_some()
    }

    /// The command that stops the holder, if it is a stack's.
    pub(super) fn stop(&self) -> Option<String> {
        match &self.owner {
            Owner::Own(name) => Some(format!("stackrun down {name}")),
            Owner::Other(owner) => Some(owner.stop()),
            Owner::Leftover(_) | Owner::None => None,
        }
    }

    /// In one line.
    pub(super) fn text(&self) -> String {
        match (&self.owner, self.holder.process()) {
            (Owner::Own(name), Some(process)) => format!("ours: {name}, pid {}", process.id.pid),
            (Owner::Leftover(name), Some(process)) => {
                format!("held by a process left over from an earlier `{name}`: {process}")
            }
            (Owner::Other(owner), Some(process)) => format!("held by {owner}: {process}"),
            (_, None) if self.holder == Holder::Free => "free".into(),
            (_, _) => format!("held by {}", self.holder),
        }
    }

    /// What to do for a service to get the port. `stop` is the command that stops what holds
    /// it, and is no stack's; none where that has just been tried.
    pub(super) fn advice(&self, port: u16, stop: Option<&str>) -> String {
        let choose = "choose another port, or let it use the next free one (`busy=\"next\"`)";
        match (&self.holder, &self.owner, stop) {
            (Holder::Free, ..) => format!("port {port} is free by now: try again"),
            (_, Owner::Own(name), _) => {
                format!("`{name}` of this stack has port {port}: give one of them another")
            }
            (_, Owner::Other(owner), _) => format!(
                "`{}` stops it; to run both, let stackrun choose the port (`port \"auto\"`, or \
                 `busy=\"next\"`)",
                owner.stop()
            ),
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
                format!("something takes port {port} again at once: stop what starts it; {choose}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform;

    fn advice(holder: Holder, stop: Option<&str>) -> String {
        Holding { holder, owner: Owner::None }.advice(80, stop)
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
