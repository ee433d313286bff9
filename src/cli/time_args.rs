//! Durations and moments as they are typed: `90s`, `10m`, `2026-01-31T09:00:00Z`, `09:30`.

use std::time::Duration;

use jiff::{Timestamp, civil, tz::TimeZone};

use crate::model::duration::{self, BadDuration};

/// Reads a duration: numbers with `ms`, `s`, `m`, `h` or `d`; seconds without a unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    duration::parse_or_seconds(text).map_err(|bad| match bad {
        BadDuration::Form => {
            format!("`{text}` is not a duration: write `500ms`, `90s`, `10m`, `2h` or `1d`")
        }
        BadDuration::TooLong => format!("`{text}` is longer than a hundred years"),
    })
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
    let wrong =
        || format!("`{text}` is not a time: write `10m`, `09:30` or `2026-01-31T09:30:00Z`");
    let zoned = local.ok_or_else(wrong)?.to_zoned(zone.clone()).map_err(|_| wrong())?;
    Ok(zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        let long = duration("213503982334601d 213503982334601d").expect_err("is refused");
        assert!(long.contains("a hundred years"), "{long}");
        assert!(duration("soon").is_err_and(|text| text.contains("is not a duration")));
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

    proptest::proptest! {
        #[test]
        fn any_text_has_an_answer(text: String) {
            let _ = moment(&text, Timestamp::MIN, &TimeZone::UTC);
            let _ = moment(&text, Timestamp::MAX, &TimeZone::UTC);
        }

        #[test]
        fn any_time_ago_has_an_answer(ago in "[0-9]{1,20}[smhd]( ?[0-9]{1,20}[smhd]){0,3}") {
            let _ = moment(&ago, Timestamp::MIN, &TimeZone::UTC);
        }
    }
}
