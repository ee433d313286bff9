//! What the keeper keeps for the next supervisor: how far everything is, the stack last applied,
//! and, apart from both, what is secret in them. The first two are in the keeper's journal, the
//! secrets in its memory alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    secrets::{self, Secrets},
    world::World,
};
use crate::{
    keeper::protocol::{Paper, Papers, ToKeeper},
    model::Stack,
};

/// The version of the paper that holds the stack.
const FORMAT: u32 = 1;
/// What stands in every line of a note that holds a secret.
const SECRET: &str = r#""secret":true"#;

/// What the keeper has been given.
#[derive(Debug, Default)]
pub(super) struct Desk {
    kept: Papers,
    /// The core's note that was kept, secrets included.
    note: String,
    /// A stack was applied since.
    stack_is_new: bool,
    secrets_of_stack: Secrets,
}

/// The stack last applied, and the environment of who applied it.
#[derive(Debug, Serialize, Deserialize)]
struct Applied {
    format: u32,
    stack: Stack,
    /// The caller's environment at the latest `up` or `restart`.
    env: BTreeMap<String, String>,
}

/// What the supervisor before left.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) stack: Stack,
    pub(super) env: BTreeMap<String, String>,
    pub(super) note: String,
}

impl Desk {
    /// A stack was applied.
    pub(super) fn applied(&mut self) {
        self.stack_is_new = true;
    }

    /// Takes the papers of the supervisor before; `None` if there was none.
    pub(super) fn take_over(&mut self, papers: Papers) -> Result<Option<Left>, serde_json::Error> {
        self.kept = papers;
        let text = |paper| self.kept.get(&paper).map_or("", String::as_str);
        let (Some(stack), Some(note)) = (self.kept.get(&Paper::Stack), self.kept.get(&Paper::Note))
        else {
            return Ok(None);
        };
        let secrets: Secrets = serde_json::from_str(text(Paper::Secrets)).unwrap_or_default();
        let mut stack: Value = serde_json::from_str(stack)?;
        secrets::put_back(&mut stack, "stack", &secrets);
        let Applied { stack, mut env, .. } = serde_json::from_value(stack)?;
        for (place, secret) in &secrets {
            if let (Some(key), Some(text)) = (place.strip_prefix("env/"), secret.as_str()) {
                env.insert(key.to_owned(), text.to_owned());
            }
        }
        let note = with_secrets(note, &secrets)?;
        let of_stack = secrets.into_iter().filter(|(place, _)| !place.starts_with("note/"));
        self.secrets_of_stack = of_stack.collect();
        Ok(Some(Left { stack, env, note }))
    }

    /// A line that somebody wrote, without the secrets that are in it.
    pub(super) fn conceal(&self, mut line: String) -> String {
        for secret in self.secrets_of_stack.values().filter_map(secrets::literal) {
            if line.contains(secret) {
                line = line.replace(secret, secrets::MASK);
            }
        }
        line
    }

    fn keep(&mut self, paper: Paper, text: String, news: &mut Vec<ToKeeper>) {
        if self.kept.get(&paper) != Some(&text) {
            self.kept.insert(paper, text.clone());
            news.push(ToKeeper::Keep { paper, text });
        }
    }

    /// Makes the paper of the stack; what is secret stays here.
    fn stack(&mut self, stack: Stack, env: &BTreeMap<String, String>) -> serde_json::Result<Value> {
        let mut secrets = Secrets::new();
        let applied = Applied { format: FORMAT, stack, env: env.clone() };
        let mut value = serde_json::to_value(applied)?;
        secrets::take(&mut value, "stack", &mut secrets);
        // A secret that came from the caller's environment is one there, too.
        let known: Vec<String> =
            secrets.values().filter_map(secrets::literal).map(str::to_owned).collect();
        for (key, text) in env.iter().filter(|(_, text)| known.contains(text)) {
            secrets.insert(format!("env/{key}"), Value::String(text.clone()));
            if let Some(env) = value.get_mut("env").and_then(Value::as_object_mut) {
                env.remove(key);
            }
        }
        self.secrets_of_stack = secrets;
        Ok(value)
    }
}

impl World {
    /// What is new on the desk, for the keeper to keep.
    pub(super) fn papers(&mut self) -> Vec<ToKeeper> {
        let mut news = Vec::new();
        let note = self.core.note();
        if note == self.desk.note && !self.desk.stack_is_new {
            return news;
        }
        let mut stack = None;
        if std::mem::take(&mut self.desk.stack_is_new) {
            // Plain data with names as keys can always be written as JSON.
            stack = self.desk.stack(self.core.stack().clone(), &self.caller).ok();
        }
        let mut secrets = self.desk.secrets_of_stack.clone();
        let masked = without_secrets(&note, &mut secrets);
        let secrets = serde_json::to_string(&secrets).unwrap_or_default();
        self.desk.note = note;
        // The secrets first: without them the others are not whole.
        self.desk.keep(Paper::Secrets, secrets, &mut news);
        if let Some(stack) = stack {
            self.desk.keep(Paper::Stack, stack.to_string(), &mut news);
        }
        self.desk.keep(Paper::Note, masked, &mut news);
        news
    }
}

/// The core's note, line by line, without the secrets in it.
fn without_secrets(note: &str, secrets: &mut Secrets) -> String {
    let mut lines = String::with_capacity(note.len());
    for (number, line) in note.lines().enumerate() {
        if line.contains(SECRET)
            && let Ok(mut value) = serde_json::from_str::<Value>(line)
        {
            secrets::take(&mut value, &format!("note/{number}"), secrets);
            lines.push_str(&value.to_string());
        } else {
            lines.push_str(line);
        }
        lines.push('\n');
    }
    lines
}

fn with_secrets(note: &str, secrets: &Secrets) -> serde_json::Result<String> {
    let mut lines = String::with_capacity(note.len());
    for (number, line) in note.lines().enumerate() {
        if line.contains(SECRET) {
            let mut value: Value = serde_json::from_str(line)?;
            secrets::put_back(&mut value, &format!("note/{number}"), secrets);
            lines.push_str(&value.to_string());
        } else {
            lines.push_str(line);
        }
        lines.push('\n');
    }
    Ok(lines)
}
