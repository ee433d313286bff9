//! Text that may go to a terminal.
//!
//! What others wrote (a process' arguments, the name of a folder, a string of the stack file, an
//! error of the system) may hold control characters, and a terminal obeys them: it renames its
//! window, moves the cursor, hides what stands there. So whatever is printed goes through
//! [`finish`], which lets a newline and our own colours through and makes every other control
//! character visible. Our own colours are made by [`styled`] alone; they carry a number that is
//! drawn anew by each process, which no text from outside can know.

use std::{
    borrow::Cow,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::LazyLock,
};

use console::measure_text_width;

/// What a style made by this process ends with, in place of the plain `m` of SGR (ECMA-48, 8.3.117):
/// parameters of four digits, since those who measure text take no longer ones for SGR.
static MARK: LazyLock<String> = LazyLock::new(|| {
    let drawn = RandomState::new().build_hasher().finish();
    let part = |number: u64| drawn >> (16 * number) & 0x1fff;
    format!(";{:04};{:04};{:04};{:04}m", part(0), part(1), part(2), part(3))
});

/// The text in a style: `sgr` are the parameters of SGR sequences, one sequence each.
pub(crate) fn styled(sgr: &[&str], text: &str) -> String {
    let mark = MARK.as_str();
    let begin: String = sgr.iter().map(|one| format!("\u{1b}[{one}{mark}")).collect();
    format!("{begin}{text}\u{1b}[0{mark}")
}

/// The text with its words changed, and the styles of [`styled`] as they are. A word that a style
/// ends or begins in is none.
pub(crate) fn map_words<'t>(
    text: &'t str,
    mut change: impl FnMut(&'t str) -> Cow<'t, str>,
) -> Cow<'t, str> {
    if !text.contains('\u{1b}') {
        return change(text);
    }
    let mut changed = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in text.match_indices('\u{1b}') {
        if let Some((_, length)) = own_style(&text[at..]) {
            changed.push_str(&change(&text[from..at]));
            changed.push_str(&text[at..at + length]);
            from = at + length;
        }
    }
    changed.push_str(&change(&text[from..]));
    Cow::Owned(changed)
}

/// The text as it may be printed, of as many lines as it has: styles of [`styled`] become what a
/// terminal knows, a tab becomes spaces, and any other control character is made visible.
pub(crate) fn finish(text: &str) -> Cow<'_, str> {
    visible(text, true, |sgr| format!("\u{1b}[{sgr}m"))
}

/// The text as a part of one line: every control character is made visible, a newline, too. Styles
/// of [`styled`] stay what they are, for [`finish`].
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    visible(text, false, |sgr| format!("\u{1b}[{sgr}{}", *MARK))
}

fn visible(text: &str, newlines: bool, style: impl Fn(&str) -> String) -> Cow<'_, str> {
    let passes = |letter| newlines && letter == '\n';
    if !text.contains(|letter| is_control(letter) && !passes(letter)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if letter == '\u{1b}'
            && let Some((sgr, length)) = own_style(rest)
        {
            shown.push_str(&style(sgr));
            rest = &rest[length..];
            continue;
        }
        match letter {
            '\n' if newlines => shown.push(letter),
            '\t' => shown.push_str("    "),
            other => show(other, &mut shown),
        }
        rest = &rest[letter.len_utf8()..];
    }
    Cow::Owned(shown)
}

/// Whether a character does something to a terminal, or to the order of what stands there: the
/// control characters, the line separators, and those that turn the direction of writing
/// (Unicode, UAX #9).
pub(crate) fn is_control(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Adds a character, visibly if it is a control character: `^G` for what Ctrl makes of a key, and
/// `\u009b` for others, which is right within a string of JSON as well.
pub(crate) fn show(letter: char, shown: &mut String) {
    match letter {
        '\0'..='\u{1f}' => {
            shown.push('^');
            shown.push(char::from(u8::try_from(letter).unwrap_or_default() ^ 0x40));
        }
        letter if is_control(letter) => shown.push_str(&format!("\\u{:04x}", u32::from(letter))),
        letter => shown.push(letter),
    }
}

/// The parameters of the style that the text begins with, if it is one of ours, and its length.
fn own_style(text: &str) -> Option<(&str, usize)> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find('m')?;
    let sgr = parameters[..=end].strip_suffix(MARK.as_str())?;
    let is_sgr = sgr.bytes().all(|byte| byte.is_ascii_digit() || byte == b';');
    is_sgr.then_some((sgr, 2 + end + 1))
}

/// The text broken at spaces into lines of at most `width`; words that are longer are cut.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word = Cow::Borrowed(word);
        loop {
            let last = lines.last_mut().map_or(0, |line| measure_text_width(line));
            let length = measure_text_width(&word);
            let gap = usize::from(last > 0);
            if last + gap + length <= width {
                let line = lines.last_mut().expect("there is always a line");
                line.push_str(if gap == 1 { " " } else { "" });
                line.push_str(&word);
                break;
            }
            if last > 0 {
                lines.push(String::new());
                continue;
            }
            // Longer than a whole line: as much as fits (at least one character, or it would
            // never end).
            let head = head(&word, width);
            let rest = word[head.len()..].to_owned();
            lines.last_mut().expect("there is always a line").push_str(&head);
            if rest.is_empty() {
                break;
            }
            lines.push(String::new());
            word = Cow::Owned(rest);
        }
    }
    lines
}

/// The longest beginning that is at most `width` wide; one character if none is.
fn head(word: &str, width: usize) -> String {
    let mut head = String::new();
    for letter in word.chars() {
        head.push(letter);
        if measure_text_width(&head) > width {
            if head.chars().count() > 1 {
                head.pop();
            }
            break;
        }
    }
    head
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn our_own_colours_pass_and_no_others() {
        let text = format!("{} \u{1b}[32mgreen\u{1b}[0m", styled(&["31", "1"], "re\u{7}d"));
        let expected = "\u{1b}[31m\u{1b}[1mre^Gd\u{1b}[0m ^[[32mgreen^[[0m";
        assert_eq!(finish(&text), expected);
    }

    #[test]
    fn what_a_terminal_would_obey_is_made_visible() {
        for (wild, shown) in [
            ("plain é 日\nnext", "plain é 日\nnext"),
            ("a\tb", "a    b"),
            ("\u{1b}]0;title\u{7}", "^[]0;title^G"),
            ("over\rwritten\u{8}\0", "over^Mwritten^H^@"),
            ("\u{7f}\u{9b}2J\u{85}", "\\u007f\\u009b2J\\u0085"),
            ("a\u{202e}txt.exe\u{2066}\u{200f}", "a\\u202etxt.exe\\u2066\\u200f"),
            ("\u{2028}\u{2029}", "\\u2028\\u2029"),
        ] {
            assert_eq!(finish(wild), shown, "{wild:?}");
        }
        assert_eq!(line("a\nb\r\nc\td\u{7}"), "a^Jb^M^Jc    d^G");
        let painted = styled(&["1"], "a\nb");
        assert_eq!(finish(&line(&painted)), "\u{1b}[1ma^Jb\u{1b}[0m");
    }

    proptest! {
        #[test]
        fn nothing_raw_gets_through(text in "(\\PC|\\pC|\u{1b}\\[[0-9;]{0,4}m|\n){0,40}") {
            let painted = styled(&["2"], &text);
            let shown = finish(&painted);
            let inner = shown.strip_prefix("\u{1b}[2m").and_then(|rest| rest.strip_suffix("\u{1b}[0m"));
            let inner = inner.expect("our own colours");
            prop_assert!(!inner.contains(|letter| letter != '\n' && is_control(letter)), "{inner:?}");
            // What has passed once is not changed again.
            prop_assert_eq!(finish(inner), inner);
        }

        #[test]
        fn text_within_json_stays_what_it_is(text in "(\\PC|\\pC){0,40}") {
            let json = serde_json::to_string(&text).unwrap();
            let shown = finish(&json).into_owned();
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }
    }
}
