//! What is shown and no more.

use super::{Description, Edge, whole::labelled};
use crate::language::source::Span;

/// A warning.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::language) enum Warning {
    /// A service whose strings use the port of one that it does not need.
    PortWithoutNeed { user: String, owner: String, text: String, at: Span },
    /// `alive` with `restart "never"`.
    AliveWithoutRestart { alive: Span, never: Span },
    /// Something that nothing carries out yet: `api.replicas`.
    NoEffect { path: String, at: Span },
    /// Something that is for processes, of a service elsewhere.
    NothingRuns { service: String, node: String, at: Span, external: Span },
    /// A service elsewhere of which nothing is checked.
    Unchecked { service: String, at: Span },
    /// An `after` of what needs the one that says so: the need wins.
    AfterInVain { name: String, after: String, at: Span, path: Vec<Edge> },
    /// A port under 1024.
    LowPort { number: u16, at: Span },
    /// A variable that reads like a secret, filled into a command.
    SecretInCommand { key: String, shell: bool, at: Span },
}

impl Warning {
    pub(super) fn describe(&self) -> Description {
        match self {
            Self::PortWithoutNeed { user, owner, text, at } => {
                let message = format!("`{user}` uses `{{{{{text}}}}}` but does not need `{owner}`");
                Description::new("port-without-need", message)
                    .at(*at, format!("a port of `{owner}`"))
                    .help(format!("add `needs \"{owner}\"` to `{user}`"))
            }
            Self::AliveWithoutRestart { alive, never } => Description::new(
                "alive-never",
                "`alive` cannot restart a service with `restart \"never\"`",
            )
            .at(*alive, "an unhealthy service stays as it is")
            .at(*never, "because of this")
            .help("remove one of them"),
            Self::LowPort { number, at } => {
                Description::new("low-port", format!("port {number} is privileged"))
                    .at(*at, "below 1024: reserved for root on most systems")
                    .help(format!(
                        "use one from 1024 on, for example {}",
                        u32::from(*number) + 8000
                    ))
            }
            Self::SecretInCommand { key, shell, at } => {
                let message = format!("the value of `{key}` becomes part of a command line");
                let instead = match shell {
                    true => format!("`${key}`, which the shell reads from its environment"),
                    false => format!("have the program read `{key}` from its environment"),
                };
                Description::new("secret-in-command", message)
                    .at(*at, "every user of this machine can read it there")
                    .help(instead)
            }
            Self::AfterInVain { name, after, at, path } => {
                let message = format!("`{name}` cannot start after `{after}`, which needs it");
                let told = Description::new("no-effect", message).at(*at, "has no effect");
                labelled(told, path, "needs").help("remove it, or one of the needs")
            }
            Self::NothingRuns { service, node, at, external } => {
                let message = format!("`{node}` has no effect: `{service}` is external");
                Description::new("no-effect", message)
                    .at(*at, "applies only to what runs here")
                    .at(*external, format!("`{service}` does not run here"))
                    .help(format!("remove one of them: `{node}` or `external`"))
            }
            Self::Unchecked { service, at } => {
                let message = format!("`{service}` is external, and nothing checks it");
                Description::new("unchecked", message)
                    .at(*at, "counts as ready whether it runs or not")
                    .help("add a check, for example `ready { tcp 5432 }`")
            }
            Self::NoEffect { path, at } => {
                Description::new("no-effect", format!("`{path}` has no effect yet"))
                    .at(*at, "accepted, but not implemented")
                    .help("remove it for now")
            }
        }
    }
}
