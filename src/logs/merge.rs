//! Several logs as one, in the order in which their lines arrived.

use std::{cmp::Reverse, collections::BinaryHeap};

use jiff::Timestamp;

use super::Line;

/// The lines of all, by time; those of one log keep their order whatever their times say.
pub fn merge<I: Iterator<Item = Line>>(logs: Vec<I>) -> impl Iterator<Item = Line> {
    let mut logs = logs;
    // The next line of each log: its time, never before that of the log's last one; the log.
    let mut heads = BinaryHeap::new();
    let mut lines: Vec<Option<Line>> = Vec::new();
    for (number, log) in logs.iter_mut().enumerate() {
        let line = log.next();
        heads.extend(line.as_ref().map(|line| Reverse((line.at, number))));
        lines.push(line);
    }
    std::iter::from_fn(move || {
        let Reverse((at, number)): Reverse<(Timestamp, usize)> = heads.pop()?;
        let line = lines[number].take();
        lines[number] = logs[number].next();
        heads.extend(lines[number].as_ref().map(|next| Reverse((next.at.max(at), number))));
        line
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, second: i64, text: &str) -> Line {
        let at = Timestamp::from_second(second).expect("in range");
        Line { name: name.into(), at, text: text.into() }
    }

    #[test]
    fn by_time_and_within_a_log_by_place() {
        let a = vec![line("a", 1, "1"), line("a", 4, "2"), line("a", 2, "3")];
        let b = vec![line("b", 2, "4"), line("b", 5, "5")];
        let merged = merge(vec![a.into_iter(), b.into_iter()]);
        let order: Vec<String> =
            merged.map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect();
        assert_eq!(order, ["1", "4", "2", "3", "5"]);
    }

    #[test]
    fn equal_times_keep_the_order_of_the_logs() {
        let a = vec![line("a", 1, "1"), line("a", 1, "2")];
        let b = vec![line("b", 1, "3")];
        let merged = merge(vec![a.into_iter(), b.into_iter()]);
        let order: Vec<char> = merged.map(|line| char::from(line.text[0])).collect();
        assert_eq!(order, ['1', '2', '3']);
    }
}
