//! What no node shows by itself.

use super::Description;
use crate::language::source::Span;

/// A `needs` (or the membership of a group): who, whom, and where it says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::language) struct Edge {
    /// Who needs.
    pub(in crate::language) from: String,
    /// Who is needed.
    pub(in crate::language) to: String,
    /// The group that was named in its place.
    pub(in crate::language) group: Option<String>,
    /// The name in the `needs`.
    pub(in crate::language) at: Span,
}

/// A problem of the whole.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::language) enum WholeProblem {
    /// A circle of needs.
    Cycle { edges: Vec<Edge> },
    /// An `after` that names the one it stands in, perhaps by a group.
    AfterItself { name: String, at: Span },
    /// A circle of groups.
    CycleOfGroups { edges: Vec<Edge> },
    /// A task that needs what must be down meanwhile.
    WithoutNeeded { task: String, service: String, at: Span, path: Vec<Edge> },
    /// More of something than a stack may have, with this service, task or group.
    TooMuch { what: &'static str, most: usize, kind: String, name: String, at: Span },
    /// A service that needs a task that runs without it.
    NeedsWithout { service: String, task: String, path: Vec<Edge>, at: Span },
}

impl WholeProblem {
    pub(super) fn describe(&self) -> Description {
        match self {
            Self::Cycle { edges } => {
                let message = match edges.as_slice() {
                    [edge] => format!("`{}` needs itself", edge.from),
                    _ => format!("a cycle of needs: {}", way(edges)),
                };
                labelled(Description::new("cycle", message), edges, "needs")
                    .help("remove one of these; use `after` if only the order matters")
            }
            Self::AfterItself { name, at } => {
                Description::new("cycle", format!("`{name}` comes after itself"))
                    .at(*at, "names itself")
                    .help("remove it")
            }
            Self::CycleOfGroups { edges } => {
                let message = match edges.as_slice() {
                    [edge] => format!("the group `{}` contains itself", edge.from),
                    _ => format!("a cycle of groups: {}", way(edges)),
                };
                labelled(Description::new("cycle", message), edges, "contains")
                    .help("remove one of these")
            }
            Self::TooMuch { what, most, kind, name, at } => {
                let message = format!("the stack has more than {most} {what}");
                Description::new("too-much", message)
                    .at(*at, format!("too many with the {kind} `{name}`"))
                    .help("copies, templates and the `env` of the stack count for each service")
            }
            Self::WithoutNeeded { task, service, at, path } => {
                let message = format!("`{task}` runs without `{service}`, but needs it");
                window(message, task, *at, path)
            }
            Self::NeedsWithout { service, task, path, at } => {
                let message = format!("`{service}` needs `{task}`, which runs without it");
                window(message, task, *at, path)
            }
        }
    }
}

fn window(message: String, task: &str, at: Span, path: &[Edge]) -> Description {
    let description =
        Description::new("window", message).at(at, format!("must be down while `{task}` runs"));
    labelled(description, path, "needs")
        .help(format!("{}: remove a need or the `without`", way(path)))
}

/// With a label at every edge.
pub(super) fn labelled(description: Description, path: &[Edge], verb: &str) -> Description {
    path.iter().fold(description, |description, edge| {
        let (from, to) = (&edge.from, &edge.to);
        let through = edge.group.as_ref().map(|group| format!(", a member of `{group}`"));
        description.at(edge.at, format!("`{from}` {verb} `{to}`{}", through.unwrap_or_default()))
    })
}

/// So many names of a long way are told.
const NAMES: usize = 20;

/// `a → b → c`.
fn way(edges: &[Edge]) -> String {
    let names = edges.iter().map(|edge| edge.from.as_str());
    let mut names: Vec<&str> = names.chain(edges.last().map(|edge| edge.to.as_str())).collect();
    let more = names.len().saturating_sub(NAMES);
    let left_out = format!("({more} more)");
    if more > 0 {
        names.splice(NAMES / 2..NAMES / 2 + more, [left_out.as_str()]);
    }
    names.join(" → ")
}
