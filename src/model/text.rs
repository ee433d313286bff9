//! Strings with the few values that are known only when a process is about to start.

use serde::{Deserialize, Serialize};

/// A string of the stack file. Everything that the file alone decides (`{{dir}}`, `{{env.KEY}}`)
/// was filled in when the file was checked; what is left is filled in at each start.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text(pub Vec<Part>);

/// A piece of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Characters to be taken as they are.
    Literal(String),
    /// The number of a port of any service.
    Port {
        /// The service that declares the port.
        service: String,
        /// The port's name; the service's first port without one.
        port: Option<String>,
        /// The number that the file gives it; none where it leaves that open (`port "auto"`,
        /// `busy="next"`). Another one is used only as an answer to who holds this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        declared: Option<u16>,
    },
    /// The local time of a task's run, `YYYYMMDD-HHMMSS`.
    Now,
    /// The number of this copy of a service with `replicas`, from 1.
    Replica,
}

/// What a [`Text`] asks for at a start.
pub trait Values {
    /// The number that the port has now; `declared` by the definition that uses it.
    fn port(&self, service: &str, port: Option<&str>, declared: Option<u16>) -> Option<u16>;
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

    /// The text with the numbers that the file gives to ports.
    #[must_use]
    pub fn as_declared(&self) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        for part in &self.0 {
            let part = match part {
                Part::Port { declared: Some(number), .. } => Part::Literal(number.to_string()),
                other => other.clone(),
            };
            match (parts.last_mut(), part) {
                (Some(Part::Literal(last)), Part::Literal(next)) => last.push_str(&next),
                (_, part) => parts.push(part),
            }
        }
        Self(parts)
    }

    /// The text with its open values filled in. A port that is not known yet comes out as `0`.
    pub fn render(&self, values: &impl Values) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Port { service, port, declared } => {
                    let number = values.port(service, port.as_deref(), *declared).unwrap_or(0);
                    out.push_str(&number.to_string());
                }
                Part::Now => out.push_str(&values.now()),
                Part::Replica => out.push_str(&values.replica().to_string()),
            }
        }
        out
    }
}

/// Shows the text as it would stand in the file, with the numbers of ports that are given there.
impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for part in &self.0 {
            match part {
                Part::Literal(text) => f.write_str(text)?,
                Part::Port { declared: Some(number), .. } => write!(f, "{number}")?,
                Part::Port { service, port: None, .. } => write!(f, "{{{{{service}.port}}}}")?,
                Part::Port { service, port: Some(port), .. } => {
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
