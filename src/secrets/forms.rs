//! The forms in which a value appears in words: as it is, and as it has to be written in JSON, in a
//! URL, in a shell, and in Rust's own error messages.

use std::collections::BTreeSet;

/// All forms of a value, itself among them.
pub(super) fn of(value: &str) -> BTreeSet<String> {
    let json = serde_json::to_string(value).unwrap_or_default();
    // RFC 3986, 2.3: what never needs an escape; and what JavaScript's `encodeURI` leaves besides.
    let component = percent(value, b"-._~");
    let whole = percent(value, b"-._~!*'();/?:@&=+$,#");
    // A value of a form (application/x-www-form-urlencoded).
    let form = component.replace("%20", "+");
    let mut forms = BTreeSet::from([
        value.to_owned(),
        ascii(unquoted(&json)),
        unquoted(&json).to_owned(),
        unquoted(&format!("{value:?}")).to_owned(),
        value.replace('\'', "'\\''"),
        lower(&component),
        lower(&whole),
        lower(&form),
        component,
        whole,
        form,
    ]);
    forms.remove("");
    forms
}

/// What stands between the quotes.
fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// Every byte but letters, digits and `safe` ones as `%C3`.
fn percent(value: &str, safe: &[u8]) -> String {
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte.is_ascii_alphanumeric() || safe.contains(&byte) {
            true => escaped.push(char::from(byte)),
            false => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// With the digits of its escapes in small letters.
fn lower(escaped: &str) -> String {
    let mut parts = escaped.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        format!("{text}%{}{rest}", digits.to_ascii_lowercase())
    })
}

/// JSON as many a program writes it, without any character beyond ASCII.
fn ascii(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter.is_ascii() {
            true => escaped.push(letter),
            false => {
                let units = letter.encode_utf16(&mut [0; 2]).to_vec();
                escaped.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_in_all_its_forms() {
        let forms = of("a \"b\"/é'=");
        for form in [
            "a \"b\"/é'=",
            "a \\\"b\\\"/é'=",
            "a \\\"b\\\"/\\u00e9'=",
            "a%20%22b%22%2F%C3%A9%27%3D",
            "a%20%22b%22%2f%c3%a9%27%3d",
            "a+%22b%22%2F%C3%A9%27%3D",
            "a%20%22b%22/%C3%A9'=",
            "a \"b\"/é'\\''=",
        ] {
            assert!(forms.contains(form), "{form}: {forms:#?}");
        }
        assert_eq!(of("plain-1"), BTreeSet::from(["plain-1".to_owned()]));
        assert!(of("").is_empty());
        assert!(of("😀").contains("\\ud83d\\ude00"));
    }
}
