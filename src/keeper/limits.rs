//! The cgroup of a unit, where its limits ask for one.
//!
//! It is a help, never a condition: where the system grants none, the unit runs without, and a
//! person is told once what that means.

use super::protocol::UnitId;
use crate::platform::{Cgroup, CgroupLimits, Cgroups, Controller};

/// What became of a unit's limits.
#[derive(Debug, Default)]
pub(super) struct Limited {
    /// The group that it is to run in.
    pub(super) group: Option<Cgroup>,
    /// What is not in force, and why.
    pub(super) refusals: Vec<String>,
}

impl Limited {
    /// Makes a group in the place `stack`. Its memory is counted too, where that can be had.
    pub(super) fn make(stack: &str, unit: &UnitId, limits: &CgroupLimits) -> Self {
        let asked = [
            (Controller::Cpu, "limit cpu=…", limits.cpu.is_some()),
            (Controller::Pids, "limit processes=…", limits.processes.is_some()),
        ];
        let asked: Vec<_> = asked.into_iter().filter(|(.., asked)| *asked).collect();
        let wanted: Vec<Controller> =
            asked.iter().map(|(controller, ..)| *controller).chain([Controller::Memory]).collect();
        let refused = |key: &str, why: &str| format!("`{key}` has no effect: {why}");
        let all_refused = |why: &str| Self {
            group: None,
            refusals: asked.iter().map(|(_, key, _)| refused(key, why)).collect(),
        };
        let groups = match Cgroups::find(stack, &wanted) {
            Ok(groups) => groups,
            Err(why) => return all_refused(&why),
        };
        let missing =
            asked.iter().filter(|(controller, ..)| !groups.controllers().contains(controller));
        let refusals =
            missing.map(|(controller, key, _)| refused(key, &groups.why_not(*controller)));
        let refusals = refusals.collect();
        // A name that no other start of this stack has, and that is one folder.
        let name = format!("{}.{}", unit.name().replace('/', "_"), unit.generation);
        match groups.create(&name, limits) {
            Ok(group) => Self { group: Some(group), refusals },
            Err(error) => all_refused(&error.to_string()),
        }
    }
}
