//! Everything that can be wrong with a stack: plain kinds and places. Their wording is in
//! `problem::wording` alone.

mod syntax_hint;
mod wording;

use std::path::PathBuf;

pub(super) use self::syntax_hint::parse;
use super::{
    schema::ValueSpec,
    source::{Span, Spanned},
    value::BadValue as Bad,
    words::WordErrorKind,
};

/// Problems, in the order of their discovery, each once.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    /// Adds a problem, unless it is known (an inherited node is looked at once a service).
    pub(super) fn add(&mut self, problem: Problem) {
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them.
    pub(super) fn into_vec(self) -> Vec<Problem> {
        self.0
    }

    /// Whether any is an error.
    pub(super) fn any_error(&self) -> bool {
        self.0.iter().any(|problem| !problem.is_warning())
    }
}

/// A `needs` (or the membership of a group): who, whom, and where it says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edge {
    /// Who needs.
    pub(super) from: String,
    /// Who is needed.
    pub(super) to: String,
    /// The name of the needed one in the `needs`.
    pub(super) at: Span,
}

/// Why a `{{…}}` cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BadExpression {
    /// It names nothing; what it may have been meant to name.
    Unknown(Option<String>),
    /// `{{port}}` where there is no port.
    NoPort {
        /// The service or task in question.
        of: String,
        /// Whether it is that one's own string.
        own: bool,
    },
    /// `{{port.NAME}}` of a name that no port has.
    NoPortNamed {
        /// The service in question.
        of: String,
        /// The names that its ports have.
        known: Vec<String>,
    },
    /// `{{env.KEY}}` of a variable that is not set.
    Unset(String),
    /// `{{now}}` outside a task.
    OnlyInTasks,
    /// `{{replica}}` outside a service.
    OnlyInServices,
    /// A value that is known only at a start, where it must be known at once.
    TooLate,
}

/// A problem.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Problem {
    // Files.
    Unreadable {
        path: PathBuf,
        reason: String,
        at: Option<Span>,
    },
    Syntax {
        at: Span,
        also: Option<(Span, String)>,
        message: String,
        label: String,
        help: Option<String>,
    },
    IncludeLoop {
        edges: Vec<(Span, String)>,
    },
    UnknownProfile {
        name: String,
        known: Vec<String>,
    },

    // One node by itself.
    UnknownNode {
        node: Spanned<String>,
        parent: &'static str,
        known: Vec<&'static str>,
        elsewhere: Vec<String>,
    },
    UnknownProperty {
        prop: Spanned<String>,
        node: String,
        known: Vec<&'static str>,
        is_child: bool,
    },
    TwiceNode {
        node: String,
        first: Span,
        second: Span,
    },
    TwiceProperty {
        prop: Spanned<String>,
        first: Span,
    },
    MissingNode {
        parent: String,
        child: String,
        at: Span,
    },
    MissingValue {
        node: Spanned<String>,
        min: usize,
        example: &'static str,
    },
    MissingProperty {
        node: Spanned<String>,
        prop: &'static str,
        example: &'static str,
    },
    TooManyValues {
        node: String,
        max: usize,
        at: Span,
    },
    SingleQuotes {
        at: Span,
    },
    MissingSemicolon {
        next: Spanned<String>,
    },
    NoBraces {
        node: Spanned<String>,
    },
    BadValue {
        of: String,
        spec: &'static ValueSpec,
        value: kdl::KdlValue,
        bad: Bad,
        at: Span,
    },
    BadVariable {
        name: Spanned<String>,
    },

    // Names.
    Reserved {
        name: Spanned<String>,
    },
    TwiceName {
        name: String,
        what: &'static str,
        first: Span,
        second: Span,
    },
    UnknownName {
        name: Spanned<String>,
        wanted: &'static str,
        near: Option<String>,
    },
    /// A name that stands for another kind of thing.
    WrongKind {
        name: Spanned<String>,
        wanted: &'static str,
        is: &'static str,
    },
    OnlyInProfile {
        name: Spanned<String>,
        profile: String,
    },

    // Commands.
    NoCommand {
        of: Spanned<String>,
        what: &'static str,
    },
    TwoCommands {
        first: Spanned<String>,
        second: Spanned<String>,
    },
    EmptyBlock {
        node: Spanned<String>,
        wants: &'static str,
    },
    Words {
        kind: WordErrorKind,
        at: Span,
        whole: String,
    },

    // Values in strings.
    Unclosed {
        at: Span,
    },
    Expression {
        text: String,
        bad: BadExpression,
        at: Span,
    },
    BadEnvFile {
        path: PathBuf,
        line: usize,
        reason: String,
        at: Span,
    },
    NotThere {
        what: &'static str,
        path: PathBuf,
        at: Span,
    },
    NotA {
        wanted: &'static str,
        path: PathBuf,
        at: Span,
    },
    Outside {
        node: &'static str,
        path: String,
        at: Span,
    },
    BadRegex {
        reason: String,
        at: Span,
    },
    BadGlob {
        reason: String,
        at: Span,
    },

    // Ports.
    BadPort {
        text: String,
        at: Span,
    },
    SamePort {
        number: u16,
        first: Spanned<String>,
        second: Spanned<String>,
    },
    PortRange {
        last: u32,
        at: Span,
    },
    UnknownPort {
        name: Spanned<String>,
        of: String,
        known: Vec<String>,
    },
    CheckWithoutPort {
        check: Spanned<String>,
        of: String,
    },
    BadUrl {
        text: String,
        at: Span,
    },
    PortOfUrl {
        at: Span,
    },
    TwoActions {
        first: Span,
        second: Span,
    },
    UselessKeep {
        at: Span,
    },

    // The whole.
    Cycle {
        edges: Vec<Edge>,
        of_groups: bool,
    },
    WithoutNeeded {
        task: String,
        service: String,
        at: Span,
        path: Vec<Edge>,
    },
    NeedsWithout {
        service: String,
        task: String,
        path: Vec<Edge>,
        at: Span,
    },

    // Warnings.
    PortWithoutNeed {
        user: String,
        owner: String,
        text: String,
        at: Span,
    },
    AliveWithoutRestart {
        alive: Span,
        never: Span,
    },
    LowPort {
        number: u16,
        at: Span,
    },
}

impl Problem {
    /// Whether it is shown and no more.
    pub(super) fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::PortWithoutNeed { .. } | Self::AliveWithoutRestart { .. } | Self::LowPort { .. }
        )
    }
}
