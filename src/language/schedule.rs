//! Cron expressions: five fields.

/// Name, least and greatest number, and names for numbers (from the least) of each field.
const FIELDS: [(&str, u32, u32, &[&str]); 5] = [
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of month", 1, 31, &[]),
    (
        "month",
        1,
        12,
        &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    ),
    ("day of week", 0, 7, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

/// Whether it is a schedule; if not, what is wrong with it.
pub(super) fn check(text: &str) -> Result<(), String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!("it has {} of five fields", fields.len()));
    }
    let bad = fields.iter().zip(FIELDS).find(|(field, spec)| !is_field(field, spec));
    bad.map_or(Ok(()), |(field, (name, least, greatest, _))| {
        Err(format!("`{field}` is no {name} ({least} to {greatest})"))
    })
}

fn is_field(field: &str, spec: &(&str, u32, u32, &[&str])) -> bool {
    field.split(',').all(|item| {
        let (range, step) = item.split_once('/').map_or((item, None), |(a, b)| (a, Some(b)));
        let step_ok = step.is_none_or(|step| step.parse::<u32>().is_ok_and(|step| step > 0));
        let range_ok = range == "*"
            || match range.split_once('-') {
                Some((from, to)) => match (number(from, spec), number(to, spec)) {
                    (Some(from), Some(to)) => from <= to,
                    _ => false,
                },
                None => number(range, spec).is_some(),
            };
        step_ok && range_ok
    })
}

fn number(text: &str, (_, least, greatest, names): &(&str, u32, u32, &[&str])) -> Option<u32> {
    let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
    let number = match named {
        Some(at) => u32::try_from(at).ok()? + least,
        None => text.parse().ok()?,
    };
    (*least..=*greatest).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn five_fields_in_range() {
        for good in ["*/5 * * * *", "0 3 1,15 jan-jun mon-fri", "59 23 31 12 7"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", "* * * *", "60 * * * *", "*/0 * * * *", "5-1 * * * *", "a * * * *"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
