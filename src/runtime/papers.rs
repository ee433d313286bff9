//! What the keeper keeps for the next supervisor: how far everything is, the stack last applied,
//! and, apart from both, what is secret in them. The first two are in the keeper's journal, the
//! secrets in its memory alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::world::World;
use crate::{
    keeper::protocol::{Paper, Papers, ToKeeper},
    language,
    model::Stack,
    platform,
    secrets::{self, Masker, Sealed, Sealer, Source, unseal},
    supervisor::NoteNews,
};

/// The version of the paper that holds the stack.
const FORMAT: u32 = 3;
/// What stands in every definition that has a value which is not to be written down.
const HIDDEN: [&str; 2] = [r#""secret":true"#, r#""env-file":"#];

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
    sealer: Sealer,
    sealed_in_stack: Sealed,
    sealed_in_note: Sealed,
    /// Both, as they are kept.
    secrets: String,
    /// There may be secrets whose values are lost.
    pub(super) any_lost: bool,
    /// The env files whose values were lost and read again, and that have changed meanwhile.
    pub(super) read_again: BTreeSet<PathBuf>,
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
        self.read_again.clear();
    }

    /// Takes the papers of the supervisor before; `None` if there is no stack among them.
    pub(super) fn take_over(&mut self, papers: &Papers) -> Result<Option<Left>, serde_json::Error> {
        let text = |paper| papers.get(&paper).map_or("", String::as_str);
        let Some(stack) = papers.get(&Paper::Stack) else { return Ok(None) };
        self.stack = Some(platform::fnv1a(stack.as_bytes()));
        let note = text(Paper::Note);
        if !secrets::is_sealed(stack) && !secrets::is_sealed(note) {
            let Applied { stack, env, .. } = serde_json::from_str(stack)?;
            return Ok(Some(Left { stack, env, note: Ok(note.to_owned()) }));
        }
        let mut applied: Value = serde_json::from_str(stack)?;
        let mut placeholders = secrets::unknown(&applied);
        // What cannot be understood is told when it is put back.
        let _ = map_lines(note, secrets::is_sealed, |json| {
            placeholders.extend(secrets::unknown(json));
        });
        let known: Sealed = serde_json::from_str(text(Paper::Secrets)).unwrap_or_default();
        let (known, files) = complete(known, placeholders);
        self.sealer = Sealer::resume(&known);
        unseal(&mut applied, &known);
        let note = map_lines(note, secrets::is_sealed, |json| unseal(json, &known));
        self.any_lost = !secrets::unknown(&applied).is_empty()
            || note.as_ref().is_ok_and(|note| secrets::is_sealed(note));
        drop_lost(&mut applied);
        (self.sealed_in_stack, self.sealed_in_note) = (known.clone(), known);
        let Applied { stack, env, .. } = serde_json::from_value(applied)?;
        let is_other = |file: &PathBuf| {
            let source = stack.sources.iter().find(|source| source.path == *file);
            source.is_none_or(|source| source.fingerprint != language::fingerprint_of(file))
        };
        self.read_again = files.into_iter().filter(is_other).collect();
        Ok(Some(Left { stack, env, note }))
    }

    fn paper_of_secrets(&mut self) -> Option<ToKeeper> {
        let mut sealed = self.sealed_in_stack.clone();
        sealed.extend(self.sealed_in_note.clone());
        let text = serde_json::to_string(&sealed).unwrap_or_default();
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
        let masker = secrets::masker();
        let applied = Applied { format: FORMAT, stack, env: env.clone() };
        let whole = serde_json::to_string(&applied)?;
        self.sealed_in_stack.clear();
        if !has_secrets(&whole, &masker) {
            return Ok(whole);
        }
        let mut json = serde_json::to_value(applied)?;
        if let Some(stack) = json.get_mut("stack") {
            self.sealer.seal(stack, &masker, &mut self.sealed_in_stack);
        }
        // A secret that came from the caller's environment is one there, too.
        let env = json.get_mut("env").and_then(Value::as_object_mut).into_iter().flatten();
        for (_, value) in env {
            if let Value::String(text) = value {
                self.sealer.seal_variable(text, &masker, &mut self.sealed_in_stack);
            }
        }
        Ok(json.to_string())
    }
}

/// The values of placeholders: those that are known, and those that their env files still have;
/// and the files that were read for that.
fn complete(mut known: Sealed, placeholders: Vec<(String, Source)>) -> (Sealed, BTreeSet<PathBuf>) {
    let mut files: BTreeMap<PathBuf, BTreeMap<String, String>> = BTreeMap::new();
    for (placeholder, Source { key, file }) in placeholders {
        let Some(file) = file.filter(|_| !known.contains_key(&placeholder)) else { continue };
        let variables = files.entry(file).or_insert_with_key(|file| language::variables_of(file));
        if let Some(value) = variables.get(&key) {
            known.insert(placeholder, value.clone());
        }
    }
    (known, files.into_keys().collect())
}

/// Leaves out the variables of the caller's environment whose values are lost: better none than
/// one that says something else.
fn drop_lost(applied: &mut Value) {
    if let Some(env) = applied.get_mut("env").and_then(Value::as_object_mut) {
        env.retain(|_, value| secrets::unknown(value).is_empty());
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
        let Desk { any_lost, read_again, .. } = std::mem::take(&mut self.desk);
        self.desk = Desk { any_lost, read_again, ..Desk::default() };
        let stack = self.paper_of_stack();
        let text = self.desk.seal_note(self.core.note());
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
                    let text = self.desk.seal_note(lines);
                    return Some(ToKeeper::KeepAlso { paper, text });
                }
                self.core.note()
            }
        };
        (self.desk.note, self.desk.added) = (whole.len(), 0);
        self.desk.sealed_in_note.clear();
        let text = self.desk.seal_note(whole);
        Some(ToKeeper::Keep { paper, text })
    }
}

impl Desk {
    /// Lines of a note without the secrets in them.
    fn seal_note(&mut self, lines: String) -> String {
        let masker = secrets::masker();
        // Seldom is there any: a definition is in a note only where the stack has another one.
        if !has_secrets(&lines, &masker) {
            return lines;
        }
        let Self { sealer, sealed_in_note, .. } = self;
        let sealed = map_lines(
            &lines,
            |line| has_secrets(line, &masker),
            |json| {
                sealer.seal(json, &masker, sealed_in_note);
                mask_sentences(json, &masker);
            },
        );
        // It is JSON: the core has just made it.
        sealed.unwrap_or_default()
    }
}

/// Changes the lines of a note that are meant.
fn map_lines(
    lines: &str,
    is_meant: impl Fn(&str) -> bool,
    mut change: impl FnMut(&mut Value),
) -> serde_json::Result<String> {
    let mut changed = String::with_capacity(lines.len());
    for line in lines.lines() {
        if is_meant(line) {
            let mut json: Value = serde_json::from_str(line)?;
            change(&mut json);
            changed.push_str(&json.to_string());
        } else {
            changed.push_str(line);
        }
        changed.push('\n');
    }
    Ok(changed)
}

/// Whether there is anything to take out of this JSON.
fn has_secrets(json: &str, masker: &Masker) -> bool {
    HIDDEN.iter().any(|hidden| json.contains(hidden)) || !masker.find(json).is_empty()
}

/// Masks what sentences say: why it failed, what it said last. Names and words of settings are one
/// word each, and stay.
fn mask_sentences(json: &mut Value, masker: &Masker) {
    match json {
        Value::String(text) if text.contains(' ') => masker.hide(text),
        Value::Array(elements) => elements.iter_mut().for_each(|one| mask_sentences(one, masker)),
        Value::Object(members) => members.values_mut().for_each(|one| mask_sentences(one, masker)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
