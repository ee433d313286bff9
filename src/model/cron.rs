//! Cron expressions: five fields.

use std::str::FromStr;

/// The times that five fields name: minute, hour, day of month, month, day of week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cron {
    /// Each field as a set of its numbers.
    fields: [u64; 5],
    /// Whether each of the two kinds of days is restricted: with both, either will do (cron(8)).
    days: bool,
    weekdays: bool,
    /// Whether every minute or every hour may be one, so that it goes by real time.
    wildcard: bool,
}

/// A field: its name, its least and greatest number, and names for numbers (from the least).
type Field = (&'static str, u32, u32, &'static [&'static str]);

const FIELDS: [Field; 5] = [
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

impl Cron {
    /// Whether this minute is one of them.
    pub fn minute(&self, minute: i8) -> bool {
        self.has(0, minute)
    }

    /// Whether this hour is one of them.
    pub fn hour(&self, hour: i8) -> bool {
        self.has(1, hour)
    }

    /// Whether this month is one of them.
    pub fn month(&self, month: i8) -> bool {
        self.has(3, month)
    }

    /// Whether this day is one of them, by its number and its day of the week (0 is Sunday).
    pub fn day(&self, day: i8, weekday: i8) -> bool {
        // 7 is Sunday, too.
        let weekday = self.has(4, weekday) || weekday == 0 && self.has(4, 7);
        match (self.days, self.weekdays) {
            (true, true) => self.has(2, day) || weekday,
            (true | false, false) | (false, true) => self.has(2, day) && weekday,
        }
    }

    /// Whether the field of the minute or that of the hour begins with `*`. Such times go by real
    /// time when the clocks change; all others are times of day, of which each comes once a day
    /// (cron(8)).
    pub fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    fn has(&self, field: usize, number: i8) -> bool {
        u32::try_from(number).is_ok_and(|number| self.fields[field] >> number & 1 == 1)
    }
}

impl FromStr for Cron {
    type Err = String;

    /// Reads it; the error says what is wrong with it.
    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.len() != FIELDS.len() {
            return Err(format!("it has {} of five fields", words.len()));
        }
        let mut fields = [0; 5];
        for ((set, word), field) in fields.iter_mut().zip(&words).zip(&FIELDS) {
            let (name, least, greatest, _) = field;
            *set = numbers(word, field)
                .ok_or_else(|| format!("`{word}` is not a {name} ({least} to {greatest})"))?;
        }
        let is_star = |at: usize| words[at].starts_with('*');
        let (days, weekdays) = (!is_star(2), !is_star(4));
        Ok(Self { fields, days, weekdays, wildcard: is_star(0) || is_star(1) })
    }
}

/// The numbers that a field names: `5`, `1-5`, `*/10`, `mon,wed`.
fn numbers(word: &str, field: &Field) -> Option<u64> {
    let mut set = 0;
    for item in word.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => {
                (range, Some(step.parse::<u32>().ok().filter(|step| *step > 0)?))
            }
            None => (item, None),
        };
        let (from, to) = match (range, range.split_once('-')) {
            ("*", _) => (field.1, field.2),
            (_, Some((from, to))) => (number(from, field)?, number(to, field)?),
            // `5/10` goes on to the end.
            (_, None) => {
                let from = number(range, field)?;
                (from, if step.is_some() { field.2 } else { from })
            }
        };
        if from > to {
            return None;
        }
        let step = usize::try_from(step.unwrap_or(1)).ok()?;
        (from..=to).step_by(step).for_each(|number| set |= 1 << number);
    }
    Some(set)
}

fn number(text: &str, (_, least, greatest, names): &Field) -> Option<u32> {
    let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
    let number = match named {
        Some(at) => u32::try_from(at).ok()? + least,
        None => text.parse().ok()?,
    };
    (*least..=*greatest).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_fields_in_range() {
        for good in ["*/5 * * * *", "0 3 1,15 jan-jun mon-fri", "59 23 31 12 7"] {
            assert!(good.parse::<Cron>().is_ok(), "{good}");
        }
        for bad in ["", "* * * *", "60 * * * *", "*/0 * * * *", "5-1 * * * *", "a * * * *"] {
            assert!(bad.parse::<Cron>().is_err(), "{bad}");
        }
    }

    #[test]
    fn times_of_day_are_those_without_a_star() {
        for (text, wildcard) in [
            ("* * * * *", true),
            ("*/5 3 * * *", true),
            ("30 * * * *", true),
            ("30 */2 * * *", true),
            ("30 2 * * *", false),
            ("0,30 1-5 * * *", false),
        ] {
            assert_eq!(text.parse::<Cron>().unwrap().is_wildcard(), wildcard, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_an_answer(text: String) {
            let _ = text.parse::<Cron>();
        }

        #[test]
        fn any_fields_have_an_answer(text in "([0-9*,/a-z-]{1,12} ){4}[0-9*,/a-z-]{1,12}") {
            let _ = text.parse::<Cron>();
        }
    }

    #[test]
    fn sunday_has_two_numbers() {
        let sunday: Cron = "0 0 * * 7".parse().unwrap();
        assert!(sunday.day(1, 0) && !sunday.day(1, 1));
        let steps: Cron = "5/20 * * * *".parse().unwrap();
        let minutes: Vec<i8> = (0..60).filter(|&minute| steps.minute(minute)).collect();
        assert_eq!(minutes, [5, 25, 45]);
    }
}
