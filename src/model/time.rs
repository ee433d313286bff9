//! How durations are worded: one way for what is set, one for what is measured.

use std::time::Duration;

/// A duration that was set, as it would stand in a stack file: `350ms`, `90s`, `2m`, `1500ms`.
pub fn setting(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0 => "0s".into(),
        _ if millis.is_multiple_of(86_400_000) => format!("{}d", millis / 86_400_000),
        _ if millis.is_multiple_of(3_600_000) => format!("{}h", millis / 3_600_000),
        _ if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
        _ if millis.is_multiple_of(1000) => format!("{}s", millis / 1000),
        _ => format!("{millis}ms"),
    }
}

/// A duration that was measured, for people: `350ms`, `1.2s`, `3m 20s`, `2h 5m`, `3d 4h`.
pub fn elapsed(duration: Duration) -> String {
    let millis = duration.as_millis();
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{millis}ms"),
        // Cut, not rounded, so that 59.99 s is not `60.0s`.
        1..60 => format!("{seconds}.{}s", duration.subsec_millis() / 100),
        60..3600 => two(seconds / 60, "m", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "m"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{large}{large_unit}"),
        _ => format!("{large}{large_unit} {small}{small_unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_as_in_a_stack_file() {
        let shown = [0, 350, 1000, 1250, 90_000, 120_000, 7_200_000];
        let shown: Vec<String> =
            shown.into_iter().map(|millis| setting(Duration::from_millis(millis))).collect();
        assert_eq!(shown, ["0s", "350ms", "1s", "1250ms", "90s", "2m", "2h"]);
    }

    #[test]
    fn what_is_measured_has_two_units_at_most() {
        let shown = [0, 999, 1000, 1249, 59_999, 60_000, 200_000, 7_500_000, 273_600_000];
        let shown: Vec<String> =
            shown.into_iter().map(|millis| elapsed(Duration::from_millis(millis))).collect();
        let expected = ["0ms", "999ms", "1.0s", "1.2s", "59.9s", "1m", "3m 20s", "2h 5m", "3d 4h"];
        assert_eq!(shown, expected);
    }
}
