//! What earlier runs of any stack have left: processes whose keeper is gone, runtime folders of
//! stacks that are not there any more. Nothing here is wrong with *this* stack: warnings.

use std::collections::BTreeMap;

use super::Finding;
use crate::{
    cli::site::FILE,
    platform::{self, Entry, Mark, RuntimeFolder, StackId, StackPaths, Table},
    reporters::wording,
};

const TOPIC: &str = "leftovers";

/// Everything that is left of any of this user's stacks.
pub(in crate::cli) fn all() -> Vec<Finding> {
    let stray = stray();
    let mut findings: Vec<Finding> =
        stray.iter().map(|(stack, processes)| of_stack(*stack, processes)).collect();
    findings.extend(folders(&stray));
    if findings.is_empty() {
        findings.push(Finding::good(TOPIC, "nothing is left of earlier runs"));
    }
    findings
}

/// Names and numbers of the processes of each stack that has no keeper.
type Stray = BTreeMap<StackId, Vec<(String, u32)>>;

/// Processes with a mark whose stack has no keeper.
fn stray() -> Stray {
    let Ok(table) = Table::read() else { return Stray::new() };
    let own = platform::user_name(platform::own_uid());
    let is_ours = |pid| platform::describe(pid).is_some_and(|process| process.user == own);
    let mut held = BTreeMap::new();
    let mut stray = Stray::new();
    for entry in table.entries().iter().filter(|entry| !entry.is_dead()) {
        let pid = entry.id.pid;
        let Some(mark) = Mark::of(entry).filter(|_| is_ours(pid)) else { continue };
        let Ok(stack) = mark.stack.parse() else { continue };
        let held = *held.entry(stack).or_insert_with(|| is_held(stack));
        if !held && !has_keeper_above(&table, entry) {
            stray.entry(stack).or_default().push((mark.name, pid));
        }
    }
    stray
}

/// Whether a stack is held, be it by a process out of reach.
fn is_held(stack: StackId) -> bool {
    platform::keeper_of(stack).is_some()
        || StackPaths::of_stack(stack)
            .is_some_and(|places| matches!(places.lock(), Ok(None) | Err(_)))
}

/// Whether a process comes from a keeper that lives, which may be in another network namespace.
fn has_keeper_above(table: &Table, entry: &Entry) -> bool {
    let parent = |entry: &&Entry| table.get(entry.parent);
    let mut above = std::iter::successors(table.get(entry.parent), parent);
    above.any(|entry| {
        let line = platform::command_line(entry.id.pid);
        line.is_some_and(|line| line.starts_with("stackrun keeper "))
    })
}

fn of_stack(stack: StackId, processes: &[(String, u32)]) -> Finding {
    let mut names: Vec<String> = processes.iter().map(|(name, _)| name.clone()).collect();
    names.dedup();
    let count = wording::count(processes.len(), "process");
    let pids: Vec<String> = processes.iter().map(|(_, pid)| pid.to_string()).collect();
    let shown = format!("{count} of {} (pid {})", wording::list(&names), wording::list(&pids));
    match StackPaths::of_stack(stack) {
        // The next command takes over.
        Some(StackPaths { folder, .. }) => Finding::warning(
            TOPIC,
            format!("{shown} in {}: nothing supervises them", folder.display()),
            format!(
                "stackrun --file {} down (or up: it takes them over)",
                folder.join(FILE).display()
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
fn folders(stray: &Stray) -> Vec<Finding> {
    let stale = RuntimeFolder::stacks().into_iter();
    let stale = stale.filter(|stack| !stray.contains_key(stack) && !is_held(*stack));
    let findings = stale.flat_map(|stack| {
        let of = RuntimeFolder::folder_of(stack).map_or_else(
            || "a stack that is gone".to_owned(),
            |folder| folder.display().to_string(),
        );
        RuntimeFolder::all_of(stack).into_iter().map(move |runtime| {
            let runtime = runtime.display();
            let text = format!("{runtime} of {of}: no process is left");
            Finding::warning(TOPIC, text, format!("rm -r {runtime}"))
        })
    });
    findings.collect()
}
