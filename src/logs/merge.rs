//! Several logs as one, in the order in which their lines arrived.

use std::{cmp::Reverse, collections::BinaryHeap};

use jiff::Timestamp;

/// The items of all, by time; those of one keep their order whatever their times say.
pub(super) fn merge<T, I: Iterator<Item = T>>(
    logs: Vec<I>,
    at: impl Fn(&T) -> Timestamp,
) -> impl Iterator<Item = T> {
    let mut logs = logs;
    // The next item of each log: its time, never before that of the log's last one; the log.
    let mut heads = BinaryHeap::new();
    let mut items: Vec<Option<T>> = Vec::new();
    for (number, log) in logs.iter_mut().enumerate() {
        let item = log.next();
        heads.extend(item.as_ref().map(|item| Reverse((at(item), number))));
        items.push(item);
    }
    std::iter::from_fn(move || {
        if let [log] = logs.as_mut_slice() {
            return items[0].take().or_else(|| log.next());
        }
        let mut head = heads.peek_mut()?;
        let Reverse((time, number)) = *head;
        let item = items[number].take();
        items[number] = logs[number].next();
        match &items[number] {
            Some(next) => *head = Reverse((at(next).max(time), number)),
            None => drop(std::collections::binary_heap::PeekMut::pop(head)),
        }
        item
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(logs: &[&[(i64, char)]]) -> String {
        let logs = logs.iter().map(|log| log.iter().copied()).collect();
        let at = |item: &(i64, char)| Timestamp::from_second(item.0).expect("in range");
        merge(logs, at).map(|(_, text)| text).collect()
    }

    #[test]
    fn by_time_and_within_a_log_by_place() {
        let (a, b) = ([(1, '1'), (4, '2'), (2, '3')], [(2, '4'), (5, '5')]);
        assert_eq!(order(&[&a, &b]), "14235");
    }

    #[test]
    fn equal_times_keep_the_order_of_the_logs() {
        assert_eq!(order(&[&[(1, '1'), (1, '2')], &[(1, '3')]]), "123");
    }
}
