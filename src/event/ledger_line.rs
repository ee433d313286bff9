//! How a record is stored: a line of the ledger is the FNV-1a checksum of the record's JSON, a
//! space, and the JSON.

use super::Record;
use crate::model::fnv1a;

/// The line of a record's JSON, with its newline.
pub fn encode(json: &str) -> String {
    format!("{:016x} {json}\n", fnv1a(json.as_bytes()))
}

/// The JSON in a line without its newline; none where it does not fit its checksum, as after a
/// crash in the middle of a write.
pub fn json(line: &[u8]) -> Option<&str> {
    let (checksum, json) = str::from_utf8(line).ok()?.split_once(' ')?;
    let expected = u64::from_str_radix(checksum, 16).ok()?;
    (fnv1a(json.as_bytes()) == expected).then_some(json)
}

/// The record in a line without its newline; none where it does not fit its checksum.
pub fn decode(line: &[u8]) -> Option<Record> {
    serde_json::from_str(json(line)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_written_and_not_when_it_is_torn() {
        let line = encode(r#"{"seq":1}"#);
        let line = line.strip_suffix('\n').expect("a line").as_bytes();
        assert_eq!(json(line), Some(r#"{"seq":1}"#));
        for length in 0..line.len() {
            assert_eq!(json(&line[..length]), None, "cut at {length}");
        }
    }
}
