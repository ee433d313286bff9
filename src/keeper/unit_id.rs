//! The name of a process tree.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::model::Hook;

/// A process tree: whose it is, which part of that, and which start.
///
/// As text it is `api:3` or `api:before-start:3`. In JSON it has a `name` (`api`,
/// `api:before-start`) and a `generation`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Json", into = "Json")]
pub struct UnitId {
    /// The service or task.
    pub owner: String,
    /// Which part of it.
    pub part: Part,
    /// Which start of the service or task, from 1.
    pub generation: u64,
}

/// A part of a service or task that has a process tree of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The service itself, or the run of the task.
    Main,
    /// A hook.
    Hook(Hook),
}

impl UnitId {
    /// The main process tree of a service or task.
    pub fn main(owner: impl Into<String>, generation: u64) -> Self {
        Self { owner: owner.into(), part: Part::Main, generation }
    }

    /// A hook of a service or task.
    pub fn hook(owner: impl Into<String>, hook: Hook, generation: u64) -> Self {
        Self { owner: owner.into(), part: Part::Hook(hook), generation }
    }

    /// Whether it is the service or task itself.
    pub fn is_main(&self) -> bool {
        self.part == Part::Main
    }

    /// Its name, whichever start it is: `api`, `api:before-start`.
    pub fn name(&self) -> String {
        self.joined(':')
    }

    /// The name of its log: `api`, `api.before-start`.
    pub fn log_name(&self) -> String {
        self.joined('.')
    }

    fn joined(&self, separator: char) -> String {
        match self.part {
            Part::Main => self.owner.clone(),
            Part::Hook(hook) => format!("{}{separator}{hook}", self.owner),
        }
    }

    fn of_name(name: &str, generation: u64) -> Result<Self, String> {
        match name.split_once(':') {
            None => Ok(Self::main(name, generation)),
            Some((owner, hook)) => Ok(Self::hook(owner, hook.parse()?, generation)),
        }
    }
}

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name(), self.generation)
    }
}

impl FromStr for UnitId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{text}` is not the name of a unit");
        let (name, generation) = text.rsplit_once(':').ok_or_else(invalid)?;
        Self::of_name(name, generation.parse().map_err(|_| invalid())?)
    }
}

/// As it is written in JSON.
#[derive(Serialize, Deserialize)]
struct Json {
    name: String,
    generation: u64,
}

impl From<UnitId> for Json {
    fn from(unit: UnitId) -> Self {
        Self { name: unit.name(), generation: unit.generation }
    }
}

impl TryFrom<Json> for UnitId {
    type Error = String;

    fn try_from(Json { name, generation }: Json) -> Result<Self, String> {
        Self::of_name(&name, generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_and_its_json_are_read_back() {
        let hooks = Hook::ALL.map(|hook| UnitId::hook("api", hook, 7));
        for unit in [UnitId::main("api", 3)].into_iter().chain(hooks) {
            assert_eq!(unit.to_string().parse(), Ok(unit.clone()));
            let json = serde_json::to_string(&unit).unwrap();
            assert_eq!(serde_json::from_str::<UnitId>(&json).unwrap(), unit);
        }
        let json = r#"{"name":"api:before-start","generation":2}"#;
        let unit: UnitId = serde_json::from_str(json).unwrap();
        assert_eq!(unit, UnitId::hook("api", Hook::BeforeStart, 2));
        assert_eq!(serde_json::to_string(&unit).unwrap(), json);
        assert_eq!(unit.to_string(), "api:before-start:2");
        for invalid in ["", "api", "api:", "api:-1", "api:sometimes:1"] {
            assert!(invalid.parse::<UnitId>().is_err(), "{invalid}");
        }
    }
}
