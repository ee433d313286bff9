//! What is sent to a client, and what is left out.

use super::*;
use crate::event::{Cause, Event, Record};

fn record(seq: u64) -> Record {
    let text = "x".repeat(1000);
    Record {
        seq,
        at: jiff::Timestamp::UNIX_EPOCH,
        tick: crate::event::Tick::default(),
        event: Event::notice(text),
        name: Some("api".into()),
        generation: Some(1),
        cause: Cause::Exit,
    }
}

fn json(seq: u64) -> Arc<str> {
    serde_json::to_string(&record(seq)).unwrap().into()
}

/// What is taken from it until it is empty.
fn sent(outbox: &Outbox) -> Vec<Answer> {
    let mut bytes = Vec::new();
    while outbox.queue().is_busy() {
        let mut queue = outbox.queue();
        let (before, length) = (queue.bytes, bytes.len());
        let mut some = Vec::new();
        queue.take(&mut some);
        outbox.0.total.subtract(before - queue.bytes);
        assert!(some.len() < 2 * AT_ONCE, "{}", some.len());
        bytes.extend(some);
        assert!(bytes.len() > length, "it gets on");
    }
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

fn seqs(answers: &[Answer]) -> Vec<Result<u64, u64>> {
    let each = answers.iter().map(|answer| match &answer.reply {
        Reply::Record { record } => Ok(record.seq),
        Reply::Skipped { records } => Err(*records),
        other => panic!("{other:?}"),
    });
    each.collect()
}

#[test]
fn a_record_is_sent_as_an_answer_is() {
    let outbox = Outbox::new(Total::default());
    assert!(outbox.record(7, &json(3)));
    let answer = Answer { id: 7, reply: Reply::Record { record: record(3) } };
    assert_eq!(sent(&outbox), [answer]);
}

#[test]
fn who_falls_behind_is_told_how_many_were_left_out_and_goes_on() {
    let outbox = Outbox::new(Total::default());
    for seq in 1..=5000 {
        assert!(outbox.record(2, &json(seq)));
    }
    assert!(outbox.queue().bytes <= MAX_RECORDS);
    let queued = outbox.queue().items.len() as u64;
    let mut expected: Vec<_> = (1..=queued).map(Ok).collect();
    expected.push(Err(5000 - queued));
    assert_eq!(seqs(&sent(&outbox)), expected);
    assert!(outbox.record(2, &json(5001)));
    assert_eq!(seqs(&sent(&outbox)), [Ok(5001)]);
    assert_eq!(outbox.0.total.get(), 0);
    assert!(outbox.queue().items.capacity() <= ROOM_KEPT, "the room is given back");
}

#[test]
fn the_number_of_those_left_out_comes_before_the_outcome() {
    let outbox = Outbox::new(Total::default());
    (1..=5000).for_each(|seq| assert!(outbox.record(2, &json(seq))));
    assert!(outbox.send(&Answer { id: 2, reply: Reply::End }));
    let sent = sent(&outbox);
    let [.., skipped, end] = sent.as_slice() else { panic!("{sent:?}") };
    assert!(matches!(skipped.reply, Reply::Skipped { .. }), "{skipped:?}");
    assert_eq!(end.reply, Reply::End);
}

#[test]
fn many_who_read_nothing_are_bounded_together() {
    let total = Total::default();
    let clients: Vec<Outbox> = (0..100).map(|_| Outbox::new(total.clone())).collect();
    for seq in 0..3000 {
        let json = json(seq);
        clients.iter().for_each(|client| assert!(client.record(2, &json)));
    }
    assert!(total.get() <= MAX_ALL_RECORDS + 100 * json(0).len() * 2, "{}", total.get());
    drop(clients);
    assert_eq!(total.get(), 0);
}

#[test]
fn who_asks_on_without_reading_is_dropped() {
    let outbox = Outbox::new(Total::default());
    let answer = Answer { id: 1, reply: Reply::Error { message: "x".repeat(1 << 20) } };
    let answers = (0..100).take_while(|_| outbox.send(&answer)).count();
    assert_eq!(answers, 8, "as many as may be unread");
    assert!(!outbox.record(2, &json(1)));
    assert_eq!(outbox.0.total.get(), 0, "nothing is kept for it");
}

#[test]
fn the_past_is_read_as_it_is_sent_and_what_comes_meanwhile_follows() {
    let outbox = Outbox::new(Total::default());
    let read = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&read);
    let past = (1..=1000).map(move |seq| {
        count.fetch_add(1, Ordering::Relaxed);
        json(seq)
    });
    outbox.past(2, Box::new(past));
    assert!(outbox.record(2, &json(1001)));
    let mut some = Vec::new();
    outbox.queue().take(&mut some);
    assert!(read.load(Ordering::Relaxed) < 100, "no more than is sent at once");
    let rest = sent(&outbox);
    assert_eq!(read.load(Ordering::Relaxed), 1000);
    assert_eq!(seqs(&rest[rest.len() - 2..]), [Ok(1000), Ok(1001)]);
}
