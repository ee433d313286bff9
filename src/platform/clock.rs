//! Clocks, and which boot of the machine this is.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::event::Tick;

/// The time since the machine booted, without the time it slept (clock_gettime(2)): a deadline
/// must not pass, nor a check count as missed, while nothing could run.
pub fn now() -> Tick {
    Tick(duration(ClockId::Monotonic))
}

/// The wall clock.
pub fn wall_clock() -> jiff::Timestamp {
    let nanos = i128::from(wall_nanos());
    jiff::Timestamp::from_nanosecond(nanos).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// The local time as a part of a file's name: `YYYYMMDD-HHMMSS`. The first one looks through the
/// system's time zones.
pub fn stamp(at: jiff::Timestamp) -> String {
    let local = at.to_zoned(jiff::tz::TimeZone::system());
    local.strftime("%Y%m%d-%H%M%S").to_string()
}

/// A moment of the past as people read it: `2026-03-01 10:42:13`, local time.
pub fn local_time(tick: Tick) -> String {
    let ago = jiff::SignedDuration::try_from(now().since(tick)).unwrap_or_default();
    let at = wall_clock().checked_sub(ago).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    // Two looks at two clocks are never quite the same: a start is known to a hundredth.
    let at = at.round(jiff::Unit::Second).unwrap_or(at);
    at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
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
