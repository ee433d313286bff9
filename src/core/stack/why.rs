//! Why a service is not ready: the causal chain to its root.

use serde::{Deserialize, Serialize};

/// The causal chain: the service asked about first, the root cause last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Why {
    /// The links.
    pub links: Vec<WhyLink>,
}

/// One link of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyLink {
    /// The service or task.
    pub name: String,
    /// Its state, as `status` calls it.
    pub state: String,
    /// What it waits for, or how it failed, in one sentence.
    pub because: String,
    /// Evidence: exit or signal, last lines of the log, last answer of the check.
    pub evidence: Vec<String>,
    /// The setting behind it, as a key of `Stack::origins` (`api.ready`).
    pub setting: Option<String>,
    /// What would mend it, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advice: Vec<String>,
    /// Commands to try next.
    pub next: Vec<String>,
    /// The port that somebody else holds, if that is why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}
