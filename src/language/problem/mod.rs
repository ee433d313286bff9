//! Everything that can be wrong with a stack: plain kinds and their places, each kind worded
//! where it is declared, and nowhere else.

mod command;
mod description;
mod file;
mod name;
mod node;
mod port;
mod text;
mod value;
mod warning;
mod whole;

pub(super) use self::{
    command::Added, command::CommandProblem, description::Description, file::FileProblem,
    name::NameProblem, node::NodeProblem, port::BadUrl, port::PortProblem, text::BadExpression,
    text::TextProblem, warning::Warning, whole::Edge, whole::WholeProblem,
};

/// A problem.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Problem {
    /// Of a file.
    File(FileProblem),
    /// Of one node by itself.
    Node(NodeProblem),
    /// Of a name.
    Name(NameProblem),
    /// Of what is run.
    Command(CommandProblem),
    /// Of a string.
    Text(TextProblem),
    /// Of a port, or of a check on one.
    Port(PortProblem),
    /// Of the whole.
    Whole(WholeProblem),
    /// No error.
    Warning(Warning),
}

impl Problem {
    /// The problem in words.
    pub(super) fn describe(&self) -> Description {
        match self {
            Self::File(problem) => problem.describe(),
            Self::Node(problem) => problem.describe(),
            Self::Name(problem) => problem.describe(),
            Self::Command(problem) => problem.describe(),
            Self::Text(problem) => problem.describe(),
            Self::Port(problem) => problem.describe(),
            Self::Whole(problem) => problem.describe(),
            Self::Warning(problem) => problem.describe(),
        }
    }

    /// Whether it is shown and no more.
    pub(super) fn is_warning(&self) -> bool {
        matches!(self, Self::Warning(_))
    }

    /// Whether it is the same, whatever else there may be to choose from.
    fn says_the_same(&self, other: &Self) -> bool {
        use NameProblem::UnknownName;
        match (self, other) {
            (
                Self::Name(UnknownName { name, wanted, .. }),
                Self::Name(UnknownName { name: other, wanted: others, .. }),
            ) => name == other && wanted == others,
            _ => self == other,
        }
    }

    /// Whether it may only be there because a file could not be read.
    fn may_follow_from_a_missing_file(&self) -> bool {
        let unknown = |bad: &BadExpression| {
            matches!(bad, BadExpression::NoService(..) | BadExpression::Unset(_))
        };
        match self {
            Self::Name(problem) => matches!(problem, NameProblem::UnknownName { .. }),
            Self::Text(problem) => {
                matches!(problem, TextProblem::Expression { bad, .. } if unknown(bad))
            }
            Self::File(problem) => matches!(problem, FileProblem::UnknownProfile { .. }),
            Self::Warning(problem) => matches!(problem, Warning::PortWithoutNeed { .. }),
            Self::Node(_) | Self::Command(_) | Self::Port(_) | Self::Whole(_) => false,
        }
    }
}

/// Makes each kind a problem.
macro_rules! kinds {
    ($($variant:ident($kind:ident)),*) => {$(
        impl From<$kind> for Problem {
            fn from(problem: $kind) -> Self {
                Self::$variant(problem)
            }
        }
    )*};
}

kinds!(
    File(FileProblem),
    Node(NodeProblem),
    Name(NameProblem),
    Command(CommandProblem),
    Text(TextProblem),
    Port(PortProblem),
    Whole(WholeProblem),
    Warning(Warning)
);

/// Problems, in the order of their discovery, each once; no more than a person can want to see.
#[derive(Debug, Default)]
pub(super) struct Problems {
    known: Vec<Problem>,
    /// How many were found after those, perhaps some of them more than once.
    more: usize,
    /// Whether an error is among them.
    more_errors: bool,
}

/// So many are told.
pub(super) const MOST: usize = 1000;

impl Problems {
    /// Adds a problem, unless it is known (an inherited node is looked at once a service, and a
    /// service once a profile).
    pub(super) fn add(&mut self, problem: impl Into<Problem>) {
        let problem = problem.into();
        if self.known.len() >= MOST {
            self.more += 1;
            self.more_errors |= !problem.is_warning();
        } else if !self.known.iter().any(|known| known.says_the_same(&problem)) {
            self.known.push(problem);
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.known.len() + self.more
    }

    /// All that are told, with a word about the others.
    pub(super) fn into_vec(mut self) -> Vec<Problem> {
        if self.more_errors {
            self.known.push(FileProblem::More { told: self.known.len() }.into());
        }
        self.known
    }

    /// Whether any is an error.
    pub(super) fn any_error(&self) -> bool {
        self.more_errors || self.known.iter().any(|problem| !problem.is_warning())
    }

    /// Takes out what may only be there because a file could not be read.
    pub(super) fn forget_what_follows_from_missing_files(&mut self) {
        self.known.retain(|problem| !problem.may_follow_from_a_missing_file());
    }
}
