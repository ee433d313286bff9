//! Why a service is not ready: the causal chain to its root.

use serde::{Deserialize, Serialize};

use crate::{
    model::State,
    status::{Advice, Because, Evidence},
};

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
    /// Its state.
    #[serde(flatten)]
    pub state: State,
    /// Whether a check or a port tells that it is ready.
    pub checked: bool,
    /// What it waits for, or how it failed; none where there is nothing to explain.
    #[serde(rename = "detail")]
    pub because: Option<Because>,
    /// Exit or signal, last lines of the log, last answer of the check.
    #[serde(rename = "evidence_details")]
    pub evidence: Vec<Evidence>,
    /// The setting behind it, as a key of `Stack::origins` (`api.ready`).
    pub setting: Option<String>,
    /// What would help.
    #[serde(rename = "advice_details")]
    pub advice: Vec<Advice>,
    /// Commands to try next.
    pub next: Vec<String>,
}

impl WhyLink {
    /// The port that another program holds, if that is why it failed.
    pub fn held_port(&self) -> Option<u16> {
        match &self.because {
            Some(Because::Failed { reason }) => reason.port(),
            Some(_) | None => None,
        }
    }
}
