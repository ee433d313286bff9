//! What one client has still to be sent: bounded in bytes, however slowly it reads.
//!
//! Answers are owed. A client that asks for more while it leaves too much unread is dropped.
//! Records are not: one that falls behind gets what is queued, then the number of those that were
//! left out meanwhile, and then continues; the ledger has them all. A record is written as JSON once,
//! however many follow, and what is older is read from the ledger when there is room to send it.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt, mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use super::protocol::{Answer, Reply};

/// So many bytes of records may be unread before more of them are left out.
const MAX_RECORDS: usize = 1 << 20;
/// The same over all clients; then each keeps what it has.
const MAX_ALL_RECORDS: usize = 16 << 20;
/// A client that leaves more bytes than these unread is sent no further answer, but dropped.
const MAX_UNREAD: usize = 8 << 20;
/// The same over all clients, for one that leaves anything unread.
const MAX_ALL_UNREAD: usize = 64 << 20;
/// So many bytes are written at once, and one message more at most.
const AT_ONCE: usize = 64 << 10;
/// What a record takes besides its text.
const RECORD_OVERHEAD: usize = 64;
/// A queue that is empty keeps no more room than this, in items.
const ROOM_KEPT: usize = 256;

/// Records as JSON, each made when it is about to be sent.
pub type Records = Box<dyn Iterator<Item = Arc<str>> + Send>;

/// The bytes that all clients together leave unread.
#[derive(Debug, Clone, Default)]
pub(super) struct Total(Arc<AtomicUsize>);

impl Total {
    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    fn subtract(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Where answers to one client go.
#[derive(Debug, Clone)]
pub struct Outbox(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Something is to be sent, or the client is dropped.
    changed: Notify,
    total: Total,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    /// Those of the items.
    bytes: usize,
    /// How many records were left out since the last item, by the request that asked for them.
    left_out: BTreeMap<u64, u64>,
    /// The most that they ever were.
    most: usize,
    /// What was taken from the queue is on its way.
    writing: bool,
    closed: bool,
}

enum Item {
    Answer(Vec<u8>),
    Record { id: u64, json: Arc<str> },
    Past { id: u64, records: Records },
}

impl Outbox {
    pub(super) fn new(total: Total) -> Self {
        Self(Arc::new(Shared { queue: Mutex::default(), changed: Notify::new(), total }))
    }

    /// Queues an answer. `false`: the client is gone, or reads so slowly that it is dropped.
    pub fn send(&self, answer: &Answer) -> bool {
        let mut queue = self.queue();
        if queue.closed {
            return false;
        }
        let (own, all) = (queue.bytes, self.0.total.get());
        if own > MAX_UNREAD || own > 0 && all > MAX_ALL_UNREAD {
            drop(queue);
            self.close();
            return false;
        }
        if let Some(records) = queue.left_out.remove(&answer.id) {
            self.push(&mut queue, Item::Answer(skipped(answer.id, records)));
        }
        let mut bytes = Vec::new();
        add_answer(&mut bytes, answer);
        self.push(&mut queue, Item::Answer(bytes));
        true
    }

    /// Queues a record, or counts it as left out. `false`: the client is gone.
    pub fn record(&self, id: u64, json: &Arc<str>) -> bool {
        let mut queue = self.queue();
        if queue.closed {
            return false;
        }
        if let Some(records) = queue.left_out.get_mut(&id) {
            *records += 1;
            return true;
        }
        let cost = json.len() + RECORD_OVERHEAD;
        let (own, all) = (queue.bytes + cost, self.0.total.get() + cost);
        if own > MAX_RECORDS || queue.bytes > 0 && all > MAX_ALL_RECORDS {
            queue.left_out.insert(id, 1);
        } else {
            self.push(&mut queue, Item::Record { id, json: Arc::clone(json) });
        }
        true
    }

    /// Queues what has happened before, to be read when it can be sent.
    pub fn past(&self, id: u64, records: Records) {
        let mut queue = self.queue();
        if !queue.closed {
            self.push(&mut queue, Item::Past { id, records });
        }
    }

    /// Waits until everything queued so far has been sent, or the client is gone.
    pub async fn drained(&self) {
        while self.queue().is_busy() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Drops the client: nothing more is sent.
    pub(super) fn close(&self) {
        let mut queue = self.queue();
        self.0.total.subtract(queue.bytes);
        *queue = Queue { closed: true, most: queue.most, ..Queue::default() };
        self.0.changed.notify_one();
    }

    /// The most bytes that were ever unread.
    pub(super) fn most(&self) -> usize {
        self.queue().most
    }

    /// Puts what is to be sent next into `bytes`, once there is something; `false` once the client
    /// is to be dropped. What was taken the last time has been sent.
    pub(super) async fn next(&self, bytes: &mut Vec<u8>) -> bool {
        loop {
            {
                let mut queue = self.queue();
                let before = queue.bytes;
                queue.take(bytes);
                self.0.total.subtract(before - queue.bytes);
                queue.writing = !bytes.is_empty();
                if queue.closed || queue.writing {
                    return !queue.closed;
                }
            }
            self.0.changed.notified().await;
        }
    }

    fn push(&self, queue: &mut Queue, item: Item) {
        let cost = item.cost();
        queue.bytes += cost;
        queue.most = queue.most.max(queue.bytes);
        self.0.total.add(cost);
        queue.items.push_back(item);
        self.0.changed.notify_one();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let queue = self.queue.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.total.subtract(mem::take(&mut queue.bytes));
    }
}

impl Queue {
    fn is_busy(&self) -> bool {
        !self.closed && (self.writing || !self.items.is_empty() || !self.left_out.is_empty())
    }

    /// Moves as much as is sent at once.
    fn take(&mut self, bytes: &mut Vec<u8>) {
        while bytes.len() < AT_ONCE
            && let Some(item) = self.items.pop_front()
        {
            let cost = item.cost();
            match item {
                Item::Answer(answer) => bytes.extend_from_slice(&answer),
                Item::Record { id, json } => add_record(bytes, id, &json),
                Item::Past { id, mut records } => {
                    if let Some(json) = records.next() {
                        add_record(bytes, id, &json);
                        self.items.push_front(Item::Past { id, records });
                        continue;
                    }
                }
            }
            self.bytes -= cost;
        }
        if !self.items.is_empty() {
            return;
        }
        for (id, records) in mem::take(&mut self.left_out) {
            bytes.extend(skipped(id, records));
        }
        if self.items.capacity() > ROOM_KEPT {
            self.items.shrink_to_fit();
        }
    }
}

impl Item {
    fn cost(&self) -> usize {
        match self {
            Self::Answer(bytes) => bytes.len(),
            Self::Record { json, .. } => json.len() + RECORD_OVERHEAD,
            Self::Past { .. } => RECORD_OVERHEAD,
        }
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(bytes) => write!(f, "an answer of {} bytes", bytes.len()),
            Self::Record { id, json } => write!(f, "a record for {id}: {json}"),
            Self::Past { id, .. } => write!(f, "records for {id}"),
        }
    }
}

fn skipped(id: u64, records: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    add_answer(&mut bytes, &Answer { id, reply: Reply::Skipped { records } });
    bytes
}

fn add_answer(bytes: &mut Vec<u8>, answer: &Answer) {
    let length = bytes.len();
    match serde_json::to_writer(&mut *bytes, answer) {
        Ok(()) => bytes.push(b'\n'),
        // Answers are plain data with names as keys; such a thing can always be written.
        Err(_) => bytes.truncate(length),
    }
}

/// The same line as that of an [`Answer`] with [`Reply::Record`].
fn add_record(bytes: &mut Vec<u8>, id: u64, json: &str) {
    bytes.extend_from_slice(format!(r#"{{"id":{id},"reply":{{"record":{{"record":"#).as_bytes());
    bytes.extend_from_slice(json.as_bytes());
    bytes.extend_from_slice(b"}}}\n");
}

#[cfg(test)]
mod tests;
