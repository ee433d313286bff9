//! Clocks, and which boot of the machine this is.

use std::time::Duration;

use jiff::tz::TimeZone;
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
pub fn stamp(at: jiff::Timestamp, zone: TimeZone) -> String {
    at.to_zoned(zone).strftime("%Y%m%d-%H%M%S").to_string()
}

/// The time zone that a value of TZ stands for (tzset(3)); without one that of the system, or of
/// our own TZ. What cannot be understood is UTC, as it is to the C library.
pub fn time_zone(tz: Option<&str>) -> TimeZone {
    let Some(tz) = tz else { return TimeZone::system() };
    let name = tz.strip_prefix(':').unwrap_or(tz);
    let of_file = || {
        let bytes = std::fs::read(name).ok()?;
        TimeZone::tzif(name, &bytes).ok()
    };
    let found = match name {
        "" => None,
        _ if name.starts_with('/') => of_file(),
        _ => TimeZone::get(name).or_else(|_| TimeZone::posix(name)).ok(),
    };
    found.unwrap_or(TimeZone::UTC)
}

/// A moment of the past as people read it: `2026-03-01 10:42:13`, local time.
pub fn local_time(tick: Tick) -> String {
    let ago = jiff::SignedDuration::try_from(now().since(tick)).unwrap_or_default();
    let at = wall_clock().checked_sub(ago).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    // Two looks at two clocks are never quite the same: a start is known to a hundredth.
    let at = at.round(jiff::Unit::Second).unwrap_or(at);
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_a_name_a_rule_or_a_file() {
        let offset = |tz: &str| {
            let noon = "2024-07-01T12:00:00Z".parse::<jiff::Timestamp>().expect("a moment");
            noon.to_zoned(time_zone(Some(tz))).offset().seconds() / 3600
        };
        assert_eq!(offset("XXX-5"), 5);
        assert_eq!(offset(":XXX+3"), -3);
        assert_eq!(offset("CET-1CEST,M3.5.0,M10.5.0/3"), 2);
        assert_eq!([offset(""), offset("no such zone"), offset("/no/such/file")], [0; 3]);
    }
}
