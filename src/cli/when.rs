//! Durations and moments as they are typed: `90s`, `10m`, `2026-01-31T09:00:00Z`, `09:30`.

use std::time::Duration;

use jiff::{Timestamp, civil, tz::TimeZone};

/// Reads a duration: a number and `ms`, `s`, `m`, `h` or `d`; several in a row; seconds without a
/// unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time: write `500ms`, `90s`, `10m`, `2h` or `1d`");
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
        let (number, after) = rest.split_at(digits.unwrap_or(rest.len()));
        let letters = after.find(|letter: char| !letter.is_ascii_alphabetic());
        let (unit, after) = after.split_at(letters.unwrap_or(after.len()));
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let seconds = match unit {
            "ms" => number / 1000.0,
            "" | "s" => number,
            "m" => number * 60.0,
            "h" => number * 3600.0,
            "d" => number * 86_400.0,
            _ => return Err(wrong()),
        };
        total += Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
        rest = after.trim_start();
    }
    Ok(total)
}

/// Reads a moment: a time ago (`10m`), a date and time (RFC 3339, or local without a zone), a
/// time of today (`09:30`).
pub(super) fn moment(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    if let Ok(ago) = duration(text) {
        return now.checked_sub(ago).map_err(|error| error.to_string());
    }
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    let today = now.to_zoned(zone.clone()).date();
    let local = text.parse::<civil::DateTime>().ok();
    let local = local.or_else(|| Some(today.to_datetime(text.parse::<civil::Time>().ok()?)));
    let wrong = || format!("`{text}` is no moment: write `10m`, `09:30` or `2026-01-31T09:30:00Z`");
    let zoned = local.ok_or_else(wrong)?.to_zoned(zone.clone()).map_err(|_| wrong())?;
    Ok(zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let read = |text| duration(text).ok().map(|duration| duration.as_millis());
        assert_eq!(read("500ms"), Some(500));
        assert_eq!(read("90"), Some(90_000));
        assert_eq!(read("1m30s"), Some(90_000));
        assert_eq!(read("1.5h"), Some(5_400_000));
        assert_eq!([read(""), read("soon"), read("-5s"), read("5y")], [None; 4]);
    }

    #[test]
    fn moments() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().expect("a moment");
        let read = |text| moment(text, now, &TimeZone::UTC).map(|moment| moment.to_string());
        assert_eq!(read("10m"), Ok("2026-01-31T11:50:00Z".into()));
        assert_eq!(read("2026-01-30T01:02:03Z"), Ok("2026-01-30T01:02:03Z".into()));
        assert_eq!(read("2026-01-30T01:02:03"), Ok("2026-01-30T01:02:03Z".into()));
        assert_eq!(read("09:30"), Ok("2026-01-31T09:30:00Z".into()));
        assert!(read("yesterday").is_err());
    }
}
