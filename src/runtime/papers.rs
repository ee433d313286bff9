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
    platform,
    supervisor::NoteNews,
};

/// The version of the paper that holds the stack.
const FORMAT: u32 = 2;
/// What stands in everything that holds a secret.
const SECRET: &str = r#""secret":true"#;

/// A note to which more than this has been added is written anew, in bytes, if that is more than
/// it was at first.
const SLACK: usize = 256 << 10;

/// What the keeper has been given.
#[derive(Debug, Default)]
pub(super) struct Desk {
    /// How long the note was when it was written anew, and what has been added to it since.
    note: usize,
    added: usize,
    /// A stack was applied since.
    stack_is_new: bool,
    /// The checksum of the stack that is kept: another `up` of the same file is not news.
    stack: Option<u64>,
    secrets_of_stack: Secrets,
    secrets_of_note: Secrets,
    /// Both, as they are kept.
    secrets: String,
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
    /// Unless there was none, or it could not be understood.
    pub(super) note: serde_json::Result<String>,
}

impl Desk {
    /// A stack was applied.
    pub(super) fn applied(&mut self) {
        self.stack_is_new = true;
    }

    /// Takes the papers of the supervisor before; `None` if there is no stack among them.
    pub(super) fn take_over(&mut self, papers: &Papers) -> Result<Option<Left>, serde_json::Error> {
        let text = |paper| papers.get(&paper).map_or("", String::as_str);
        let Some(stack) = papers.get(&Paper::Stack) else { return Ok(None) };
        self.stack = Some(platform::fnv1a(stack.as_bytes()));
        let secrets: Secrets = serde_json::from_str(text(Paper::Secrets)).unwrap_or_default();
        let Applied { stack, mut env, .. } = if stack.contains(SECRET) {
            let mut stack: Value = serde_json::from_str(stack)?;
            secrets::put_back(&mut stack, "stack", &secrets);
            serde_json::from_value(stack)?
        } else {
            serde_json::from_str(stack)?
        };
        for (place, secret) in &secrets {
            if let (Some(key), Some(text)) = (place.strip_prefix("env/"), secret.as_str()) {
                env.insert(key.to_owned(), text.to_owned());
            }
        }
        let note = with_secrets(text(Paper::Note), &secrets);
        (self.secrets_of_note, self.secrets_of_stack) =
            secrets.into_iter().partition(|(place, _)| place.starts_with("note/"));
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

    fn paper_of_secrets(&mut self) -> Option<ToKeeper> {
        let mut secrets = self.secrets_of_stack.clone();
        secrets.extend(self.secrets_of_note.clone());
        let text = serde_json::to_string(&secrets).unwrap_or_default();
        if text == self.secrets {
            return None;
        }
        self.secrets.clone_from(&text);
        Some(ToKeeper::Keep { paper: Paper::Secrets, text })
    }

    /// Makes the paper of the stack; what is secret stays here.
    fn stack(
        &mut self,
        stack: Stack,
        env: &BTreeMap<String, String>,
    ) -> serde_json::Result<String> {
        let applied = Applied { format: FORMAT, stack, env: env.clone() };
        let whole = serde_json::to_string(&applied)?;
        let mut secrets = Secrets::new();
        let mut text = None;
        if whole.contains(SECRET) {
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
            text = Some(value.to_string());
        }
        self.secrets_of_stack = secrets;
        Ok(text.unwrap_or(whole))
    }
}

impl World {
    /// What is new on the desk, for the keeper to keep. The secrets come first: without them the
    /// others are not whole.
    pub(super) fn papers(&mut self) -> Vec<ToKeeper> {
        // What could not be understood is kept for one who can.
        if self.lost {
            return Vec::new();
        }
        let stack = std::mem::take(&mut self.desk.stack_is_new).then(|| self.paper_of_stack());
        let note = self.paper_of_note();
        let secrets = self.desk.paper_of_secrets();
        [secrets, stack.flatten(), note].into_iter().flatten().collect()
    }

    /// Everything that is on the desk, for a keeper that knows nothing of it.
    pub(super) fn all_papers(&mut self) -> Papers {
        if self.lost || !self.used {
            return Papers::new();
        }
        self.desk = Desk::default();
        let stack = self.paper_of_stack();
        let note = self.core.note();
        let text = without_secrets(note, &mut self.desk.secrets_of_note);
        let note = Some(ToKeeper::Keep { paper: Paper::Note, text });
        let all = [self.desk.paper_of_secrets(), stack, note].into_iter().flatten();
        let papers = all.filter_map(|message| match message {
            ToKeeper::Keep { paper, text } => Some((paper, text)),
            _ => None,
        });
        papers.collect()
    }

    fn paper_of_stack(&mut self) -> Option<ToKeeper> {
        // Plain data with names as keys can always be written as JSON.
        let stack = self.desk.stack(self.core.stack().clone(), &self.caller).ok()?;
        let checksum = platform::fnv1a(stack.as_bytes());
        let is_news = self.desk.stack.replace(checksum) != Some(checksum);
        is_news.then_some(ToKeeper::Keep { paper: Paper::Stack, text: stack })
    }

    fn paper_of_note(&mut self) -> Option<ToKeeper> {
        let paper = Paper::Note;
        let whole = match self.core.note_news() {
            NoteNews::Nothing => return None,
            NoteNews::Whole(note) => note,
            NoteNews::Lines(lines) => {
                self.desk.added += lines.len();
                if self.desk.added <= self.desk.note.max(SLACK) {
                    let text = without_secrets(lines, &mut self.desk.secrets_of_note);
                    return Some(ToKeeper::KeepAlso { paper, text });
                }
                self.core.note()
            }
        };
        (self.desk.note, self.desk.added) = (whole.len(), 0);
        self.desk.secrets_of_note.clear();
        let text = without_secrets(whole, &mut self.desk.secrets_of_note);
        Some(ToKeeper::Keep { paper, text })
    }
}

/// Lines of a note without the secrets in them.
fn without_secrets(lines: String, secrets: &mut Secrets) -> String {
    // Seldom is there any: a definition is in a note only where the stack has another one.
    if !lines.contains(SECRET) {
        return lines;
    }
    map_secret_lines(&lines, |place, value| secrets::take(value, place, secrets))
        .unwrap_or_default()
}

fn with_secrets(lines: &str, secrets: &Secrets) -> serde_json::Result<String> {
    map_secret_lines(lines, |place, value| secrets::put_back(value, place, secrets))
}

/// Changes each line that has a secret in it; its place is that of what the line is about.
fn map_secret_lines(
    lines: &str,
    mut change: impl FnMut(&str, &mut Value),
) -> serde_json::Result<String> {
    let mut changed = String::with_capacity(lines.len());
    for line in lines.lines() {
        if line.contains(SECRET) {
            let mut value: Value = serde_json::from_str(line)?;
            let name = value.get("name").and_then(Value::as_str).unwrap_or_default();
            let place = format!("note/{name}");
            change(&place, &mut value);
            changed.push_str(&value.to_string());
        } else {
            changed.push_str(line);
        }
        changed.push('\n');
    }
    Ok(changed)
}
