//! What the fuzz targets try of this layer.

use jiff::{Timestamp, tz::TimeZone};

use super::time_args;

/// Reads a text as a moment: a time ago, a time of today, a date.
pub fn moment(text: &str) {
    let _bad_or_not = time_args::moment(text, Timestamp::UNIX_EPOCH, &TimeZone::UTC);
}
