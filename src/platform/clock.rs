//! Clocks, and which boot of the machine this is.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::event::Tick;

/// The clock that goes on while the machine sleeps (clock_gettime(2)).
#[cfg(any(target_os = "linux", target_os = "android"))]
const SINCE_BOOT: ClockId = ClockId::Boottime;
/// Elsewhere the monotonic one has to do.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SINCE_BOOT: ClockId = ClockId::Monotonic;

/// The time since the machine booted, sleep included.
pub fn now() -> Tick {
    Tick(duration(SINCE_BOOT))
}

/// The wall clock: nanoseconds since 1970.
pub fn wall_nanos() -> u64 {
    u64::try_from(duration(ClockId::Realtime).as_nanos()).unwrap_or(u64::MAX)
}

fn duration(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanos)
}

/// What is different after each boot (random(4)); empty where the system does not tell.
pub fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}
