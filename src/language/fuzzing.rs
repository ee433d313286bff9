//! What the fuzz targets try of this layer beside [`super::load`].

use kdl::KdlValue;

use super::{dotenv, schema::ValueSpec, value};

/// The formats of strings that the schema knows.
const FORMATS: [&str; 10] = [
    "duration", "interval", "size", "signal", "exit", "statuses", "name", "cron", "version", "text",
];

/// The variables of an env file: names and values.
///
/// # Errors
/// The number of the line that is no variable, from 1.
pub fn env_file(text: &str) -> Result<Vec<(String, String)>, usize> {
    match dotenv::parse(text) {
        Ok(variables) => Ok(variables.into_iter().map(|it| (it.key, it.value)).collect()),
        Err(bad) => Err(bad.line),
    }
}

/// Reads a text as a value of every format.
pub fn values(text: &str) {
    for format in FORMATS {
        let spec = ValueSpec {
            min: 1,
            max: Some(1),
            types: vec!["string".to_owned()],
            format: Some(format.to_owned()),
            choices: Vec::new(),
            default: None,
        };
        let _bad_or_not = value::parse(&spec, &KdlValue::String(text.to_owned()), text);
    }
}
