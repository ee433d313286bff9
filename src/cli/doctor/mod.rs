//! What may be wrong here, topic by topic, each with its fix.

pub(super) mod leftovers;
pub(super) mod stack;
pub(super) mod system;

use serde::Serialize;

use crate::reporters::Symbol;

/// What was looked at, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at: `programs`, `ports`, `limits`.
    pub(super) topic: &'static str,
    pub(super) state: State,
    pub(super) text: String,
    /// A command that fixes it, or what to do; called so in the JSON of the first version.
    #[serde(rename = "mend")]
    pub(super) fix: Option<String>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// As it should be.
    Good,
    /// Worth knowing.
    Warning,
    /// Wrong.
    Bad,
}

impl State {
    /// How it is shown.
    pub(super) fn symbol(self) -> Symbol {
        match self {
            Self::Good => Symbol::Good,
            Self::Warning => Symbol::Warn,
            Self::Bad => Symbol::Bad,
        }
    }
}

impl Finding {
    pub(super) fn good(topic: &'static str, text: impl Into<String>) -> Self {
        Self { topic, state: State::Good, text: text.into(), fix: None }
    }

    pub(super) fn warning(
        topic: &'static str,
        text: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { topic, state: State::Warning, text: text.into(), fix: Some(fix.into()) }
    }

    pub(super) fn bad(
        topic: &'static str,
        text: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { topic, state: State::Bad, text: text.into(), fix: Some(fix.into()) }
    }
}
