//! What earlier runs of any stack have left: processes whose keeper is gone, runtime folders of
//! stacks that are not there any more. Nothing here is wrong with *this* stack: warnings.

use std::{
    collections::BTreeMap,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use super::Finding;
use crate::{
    platform::{self, Mark, Places},
    reporters::words,
};

const TOPIC: &str = "leftovers";

/// Everything that is left of any of this user's stacks.
pub(in crate::cli) fn all() -> Vec<Finding> {
    let mut findings = processes();
    findings.extend(folders());
    if findings.is_empty() {
        findings.push(Finding::good(TOPIC, "nothing is left of earlier runs"));
    }
    findings
}

/// Processes with a mark whose stack nobody holds.
fn processes() -> Vec<Finding> {
    let Ok(table) = platform::Table::read() else { return Vec::new() };
    let own = platform::own_uid();
    let mut stray: BTreeMap<String, Vec<(String, u32)>> = BTreeMap::new();
    for entry in table.entries().iter().filter(|entry| !entry.is_dead()) {
        let pid = entry.id.pid;
        let is_ours =
            platform::describe(pid).is_some_and(|process| process.user == platform::user_name(own));
        let Some(mark) = Mark::of(entry).filter(|_| is_ours) else { continue };
        if !mark.folder().is_some_and(|folder| is_held(&folder)) {
            stray.entry(mark.stack).or_default().push((mark.name, pid));
        }
    }
    stray.into_iter().map(|(stack, processes)| of_stack(&stack, &processes)).collect()
}

fn of_stack(stack: &str, processes: &[(String, u32)]) -> Finding {
    let mut names: Vec<String> = processes.iter().map(|(name, _)| name.clone()).collect();
    names.dedup();
    let count = words::count(processes.len(), "process");
    let pids: Vec<String> = processes.iter().map(|(_, pid)| pid.to_string()).collect();
    let shown = format!("{count} of {} (pid {})", words::list(&names), words::list(&pids));
    match Places::folder_of(stack) {
        // Its socket is there still: the next command takes over.
        Some(folder) => Finding::warning(
            TOPIC,
            format!("{shown} in {}: nobody looks after them", folder.display()),
            format!(
                "stackrun --file {} down (or up: it takes them over)",
                file_of(&folder).display()
            ),
        ),
        None => Finding::warning(
            TOPIC,
            format!("{shown}: their stack is gone"),
            format!("kill {}", pids.join(" ")),
        ),
    }
}

/// Runtime folders that no keeper uses and no process is left of.
fn folders() -> Vec<Finding> {
    let stale = Places::all().into_iter().filter_map(|folder| {
        let runtime = match Places::of(&folder) {
            Ok(places) if is_held(&folder) || answers(&places) => return None,
            Ok(places) => places.runtime,
            // The stack's folder was deleted.
            Err(_) => Places::runtime_of(&folder),
        };
        let text = format!("{} of {}: no process is left", runtime.display(), folder.display());
        Some(Finding::warning(TOPIC, text, format!("rm -r {}", runtime.display())))
    });
    stale.collect()
}

fn is_held(folder: &Path) -> bool {
    platform::lock_holder(folder).is_some()
}

fn answers(places: &Places) -> bool {
    UnixStream::connect(places.socket()).is_ok()
}

fn file_of(folder: &Path) -> PathBuf {
    folder.join("stack.kdl")
}
