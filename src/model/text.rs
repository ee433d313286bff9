//! Strings with the few values that are known only when a process is about to start.

use serde::{Deserialize, Serialize};

/// A string of the stack file. Everything that the file alone decides (`{{dir}}`, `{{env.KEY}}`,
/// a fixed port) was filled in when the file was checked; what is left is filled in at each start.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text(pub Vec<Part>);

/// A piece of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Characters to be taken as they are.
    Literal(String),
    /// A port whose number the file leaves open (`port "auto"`, `busy="next"`), of any service.
    Port {
        /// The service that declares the port.
        service: String,
        /// The port's name; the service's first port without one.
        port: Option<String>,
    },
    /// The local time of a task's run, `YYYYMMDD-HHMMSS`.
    Now,
    /// The number of this copy of a service with `replicas`, from 1.
    Replica,
}

/// What a [`Text`] asks for at a start.
pub trait Values {
    /// The number that the port has now.
    fn port(&self, service: &str, port: Option<&str>) -> Option<u16>;
    /// The time stamp of this run (`YYYYMMDD-HHMMSS`).
    fn now(&self) -> String;
    /// The number of this copy.
    fn replica(&self) -> u32;
}

impl Text {
    /// A text without open values.
    pub fn literal(text: impl Into<String>) -> Self {
        Self(vec![Part::Literal(text.into())])
    }

    /// The text, if nothing in it is open.
    pub fn as_literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The text with its open values filled in. A port that is not known yet comes out as `0`.
    pub fn render(&self, values: &impl Values) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Port { service, port } => {
                    let number = values.port(service, port.as_deref()).unwrap_or(0);
                    out.push_str(&number.to_string());
                }
                Part::Now => out.push_str(&values.now()),
                Part::Replica => out.push_str(&values.replica().to_string()),
            }
        }
        out
    }
}

/// Shows the text as it would stand in the file.
impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for part in &self.0 {
            match part {
                Part::Literal(text) => f.write_str(text)?,
                Part::Port { service, port: None } => write!(f, "{{{{{service}.port}}}}")?,
                Part::Port { service, port: Some(port) } => {
                    write!(f, "{{{{{service}.port.{port}}}}}")?;
                }
                Part::Now => f.write_str("{{now}}")?,
                Part::Replica => f.write_str("{{replica}}")?,
            }
        }
        Ok(())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::literal(text)
    }
}
