//! What the keeper keeps for the next supervisor: how far everything is, the stack last applied,
//! and, apart from both, what is secret in them. The first two are in the keeper's journal, the
//! secrets in its memory alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::state::Executor;
use crate::{
    core::stack::SnapshotDelta,
    keeper::protocol::{Checkpoint, CheckpointPart, ToKeeper},
    language,
    model::{Stack, fnv1a},
    secrets::{self, Masker, Sealed, Sealer, Source, unseal},
};

/// The version of the part of the checkpoint that holds the stack.
const FORMAT: u32 = 3;
/// What stands in every definition that has a value which is not to be written down.
const HIDDEN: [&str; 2] = [r#""secret":true"#, r#""env-file":"#];

/// A snapshot to which more than this has been added is written anew, in bytes, if that is more than
/// it was at first.
const SLACK: usize = 256 << 10;

/// What the keeper has been given.
#[derive(Debug, Default)]
pub(super) struct Checkpointer {
    /// How long the snapshot was when it was written anew, and what has been added to it since.
    snapshot: usize,
    added: usize,
    /// A stack was applied since.
    stack_is_new: bool,
    /// The checksum of the stack that is kept: another `up` of the same file is not news.
    stack: Option<u64>,
    sealer: Sealer,
    sealed_in_stack: Sealed,
    sealed_in_snapshot: Sealed,
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
    pub(super) snapshot: serde_json::Result<String>,
}

impl Checkpointer {
    /// A stack was applied.
    pub(super) fn applied(&mut self) {
        self.stack_is_new = true;
        self.read_again.clear();
    }

    /// Takes the checkpoint of the supervisor before; `None` if there is no stack among them.
    pub(super) fn take_over(
        &mut self,
        checkpoint: &Checkpoint,
    ) -> Result<Option<Left>, serde_json::Error> {
        let text = |part| checkpoint.get(&part).map_or("", String::as_str);
        let Some(stack) = checkpoint.get(&CheckpointPart::Stack) else { return Ok(None) };
        let mut known: Sealed =
            serde_json::from_str(text(CheckpointPart::Secrets)).unwrap_or_default();
        secrets::remember(&mut known);
        self.stack = Some(fnv1a(stack.as_bytes()));
        let snapshot = text(CheckpointPart::Note);
        if !secrets::is_sealed(stack) && !secrets::is_sealed(snapshot) {
            let Applied { stack, env, .. } = serde_json::from_str(stack)?;
            return Ok(Some(Left { stack, env, snapshot: Ok(snapshot.to_owned()) }));
        }
        let mut applied: Value = serde_json::from_str(stack)?;
        let mut placeholders = secrets::unknown(&applied);
        // What cannot be understood is told when it is put back.
        let _ = map_lines(snapshot, secrets::is_sealed, |json| {
            placeholders.extend(secrets::unknown(json));
        });
        let (known, files) = complete(known, placeholders);
        self.sealer = Sealer::resume(&known);
        unseal(&mut applied, &known);
        let snapshot = map_lines(snapshot, secrets::is_sealed, |json| unseal(json, &known));
        self.any_lost = !secrets::unknown(&applied).is_empty()
            || snapshot.as_ref().is_ok_and(|snapshot| secrets::is_sealed(snapshot));
        drop_lost(&mut applied);
        (self.sealed_in_stack, self.sealed_in_snapshot) = (known.clone(), known);
        let Applied { stack, env, .. } = serde_json::from_value(applied)?;
        let is_other = |file: &PathBuf| {
            let source = stack.sources.iter().find(|source| source.path == *file);
            source.is_none_or(|source| source.fingerprint != language::fingerprint_of(file))
        };
        self.read_again = files.into_iter().filter(is_other).collect();
        Ok(Some(Left { stack, env, snapshot }))
    }

    fn part_of_secrets(&mut self) -> Option<ToKeeper> {
        let mut sealed = self.sealed_in_stack.clone();
        sealed.extend(self.sealed_in_snapshot.clone());
        secrets::keep_former(&secrets::known(), &mut sealed);
        let text = serde_json::to_string(&sealed).unwrap_or_default();
        if text == self.secrets {
            return None;
        }
        self.secrets.clone_from(&text);
        Some(ToKeeper::Keep { part: CheckpointPart::Secrets, text })
    }

    /// Makes the part of the checkpoint of the stack; what is secret stays here.
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

impl Executor {
    /// What is new on the desk, for the keeper to keep. The secrets come first: without them the
    /// others are not whole.
    pub(super) fn checkpoint(&mut self) -> Vec<ToKeeper> {
        // What could not be understood is kept for one who can.
        if self.lost {
            return Vec::new();
        }
        let stack =
            std::mem::take(&mut self.checkpointer.stack_is_new).then(|| self.part_of_stack());
        let snapshot = self.part_of_snapshot();
        let secrets = self.checkpointer.part_of_secrets();
        [secrets, stack.flatten(), snapshot].into_iter().flatten().collect()
    }

    /// Everything that is on the desk, for a keeper that knows nothing of it.
    pub(super) fn whole_checkpoint(&mut self) -> Checkpoint {
        if self.lost || !self.used {
            return Checkpoint::new();
        }
        let Checkpointer { any_lost, read_again, .. } = std::mem::take(&mut self.checkpointer);
        self.checkpointer = Checkpointer { any_lost, read_again, ..Checkpointer::default() };
        let stack = self.part_of_stack();
        let text = self.checkpointer.seal_snapshot(self.core.snapshot());
        let snapshot = Some(ToKeeper::Keep { part: CheckpointPart::Note, text });
        let all = [self.checkpointer.part_of_secrets(), stack, snapshot].into_iter().flatten();
        let checkpoint = all.filter_map(|message| match message {
            ToKeeper::Keep { part, text } => Some((part, text)),
            _ => None,
        });
        checkpoint.collect()
    }

    fn part_of_stack(&mut self) -> Option<ToKeeper> {
        // Plain data with names as keys can always be written as JSON.
        let stack = self.checkpointer.stack(self.core.stack().clone(), &self.caller).ok()?;
        let checksum = fnv1a(stack.as_bytes());
        let is_news = self.checkpointer.stack.replace(checksum) != Some(checksum);
        is_news.then_some(ToKeeper::Keep { part: CheckpointPart::Stack, text: stack })
    }

    fn part_of_snapshot(&mut self) -> Option<ToKeeper> {
        let part = CheckpointPart::Note;
        let whole = match self.core.snapshot_delta() {
            SnapshotDelta::Nothing => return None,
            SnapshotDelta::Whole(snapshot) => snapshot,
            SnapshotDelta::Lines(lines) => {
                self.checkpointer.added += lines.len();
                if self.checkpointer.added <= self.checkpointer.snapshot.max(SLACK) {
                    let text = self.checkpointer.seal_snapshot(lines);
                    return Some(ToKeeper::KeepAlso { part, text });
                }
                self.core.snapshot()
            }
        };
        (self.checkpointer.snapshot, self.checkpointer.added) = (whole.len(), 0);
        self.checkpointer.sealed_in_snapshot.clear();
        let text = self.checkpointer.seal_snapshot(whole);
        Some(ToKeeper::Keep { part, text })
    }
}

impl Checkpointer {
    /// Lines of a snapshot without the secrets in them.
    fn seal_snapshot(&mut self, lines: String) -> String {
        let masker = secrets::masker();
        // Seldom is there any: a definition is in a snapshot only where the stack has another one.
        if !has_secrets(&lines, &masker) {
            return lines;
        }
        let Self { sealer, sealed_in_snapshot, .. } = self;
        let sealed = map_lines(
            &lines,
            |line| has_secrets(line, &masker),
            |json| {
                sealer.seal(json, &masker, sealed_in_snapshot);
                mask_sentences(json, &masker);
            },
        );
        // It is JSON: the core has just made it.
        sealed.unwrap_or_default()
    }
}

/// Changes the lines of a snapshot that are meant.
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

/// Masks what is said: why it failed, which check did, what it printed last. Names and words of
/// settings are one word each, and stay; reasons have a `kind`, lines of logs a `text`.
fn mask_sentences(json: &mut Value, masker: &Masker) {
    match json {
        Value::String(text) if text.contains(' ') => masker.hide(text),
        Value::Array(elements) => elements.iter_mut().for_each(|one| mask_sentences(one, masker)),
        Value::Object(members) => {
            let is_reason = members.contains_key("kind");
            for (key, member) in members.iter_mut() {
                match member {
                    Value::String(text) if key != "kind" && (is_reason || key == "text") => {
                        masker.hide(text);
                    }
                    _ => mask_sentences(member, masker),
                }
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
