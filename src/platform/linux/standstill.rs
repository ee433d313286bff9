//! Why a process does nothing at all.

use std::os::unix::fs::MetadataExt;

use super::{Entry, describe::tracer, freezer::frozen};
use crate::platform::Standstill;

/// Whether a process sees the same network as we do (network_namespaces(7)), as far as we may know.
pub fn shares_network(pid: u32) -> bool {
    let network = |process: &str| std::fs::metadata(format!("/proc/{process}/ns/net"));
    match (network("self"), network(&pid.to_string())) {
        (Ok(own), Ok(other)) => own.ino() == other.ino(),
        (Err(_), _) | (_, Err(_)) => true,
    }
}

/// Why a process stands still; `None` if it does not, or is gone.
pub fn standstill(pid: u32) -> Option<Standstill> {
    match Entry::read(pid)?.state {
        'T' => Some(Standstill::Stopped),
        't' => Some(tracer(pid).map_or(Standstill::Stopped, |by| Standstill::Traced { by })),
        _ => frozen(pid),
    }
}
