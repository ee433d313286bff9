//! Who is connected, and what each of them waits for.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::words::Words as _;
use crate::{
    control::{
        protocol::{Answer, Ask, Left, Reply},
        server::{ConnectionId, Outbox},
    },
    core::stack::{OpId, Outcome},
    event::Cause,
    secrets,
    status::Status,
};

/// Who is connected and what each of them waits for.
#[derive(Debug, Default)]
pub(super) struct Clients {
    pub(super) connections: HashMap<ConnectionId, Connection>,
    pub(super) ops: BTreeMap<OpId, Op>,
    /// Who asked for another program to go on.
    pub(super) upgrading: Vec<(ConnectionId, u64)>,
    /// What was asked for while the stack is being ended.
    pub(super) put_off: Vec<(ConnectionId, Ask)>,
}

/// A client.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) outbox: Outbox,
    /// Its process, once it has said hello.
    pub(super) pid: Option<u32>,
    /// The request whose answers are the records of the whole stack, for ever.
    pub(super) follows: Option<u64>,
    /// Whether its end is the end of the stack (`--foreground`).
    pub(super) foreground: bool,
}

/// A request that takes time.
#[derive(Debug)]
pub(super) struct Op {
    /// Who waits for it; nobody for the supervisor's own, and for those whose client is gone.
    pub(super) client: Option<(ConnectionId, u64)>,
    pub(super) follow: bool,
    pub(super) take_ports: bool,
    /// Whether the answer has the state of the stack in it.
    pub(super) is_up: bool,
    pub(super) whole_down: bool,
    /// Whether it waits for the whole stack to be down.
    pub(super) waits_for_end: bool,
    /// Why.
    pub(super) cause: Cause,
    /// Whether it may be for the keeper to do.
    pub(super) is_keepers: bool,
    /// Done, but for the keeper's proof.
    pub(super) outcome: Option<Outcome>,
}

impl Clients {
    /// Sends a record to everybody who follows.
    pub(super) fn tell(&self, record: &Arc<str>) {
        let followers = self.ops.values().filter(|op| op.follow).filter_map(|op| op.client);
        let streams = self.connections.iter();
        let streams = streams.filter_map(|(id, connection)| Some((*id, connection.follows?)));
        for (connection, id) in followers.chain(streams) {
            if let Some(client) = self.connections.get(&connection) {
                // That one is gone is told by its connection.
                let _ = client.outbox.record(id, record);
            }
        }
    }

    /// Answers, in words without secrets.
    pub(super) fn reply(&self, connection: ConnectionId, id: u64, mut reply: Reply) {
        reply.mask(&secrets::masker());
        if let Some(client) = self.connections.get(&connection) {
            // A client that is gone, or too slow, is told nothing.
            let _ = client.outbox.send(&Answer { id, reply });
        }
    }

    /// Whether anybody waits for anything.
    pub(super) fn has_ops(&self) -> bool {
        !self.ops.is_empty()
    }

    /// Whether anybody waits for what the keeper is to do.
    pub(super) fn wait_for_keeper(&self) -> bool {
        !self.put_off.is_empty() || self.ops.values().any(|op| op.is_keepers && op.client.is_some())
    }

    /// Whether a request is the `down` of the whole stack.
    pub(super) fn is_whole_down(&self, op: OpId) -> bool {
        self.ops.get(&op).is_some_and(|op| op.whole_down)
    }

    /// Whether a request is an `up` that somebody waits for.
    pub(super) fn is_up(&self, op: OpId) -> bool {
        self.ops.get(&op).is_some_and(|op| op.is_up && op.client.is_some())
    }

    /// Whether a request waits for the whole stack to be down.
    pub(super) fn waits_for_end(&self, op: OpId) -> bool {
        self.ops.get(&op).is_some_and(|op| op.waits_for_end)
    }

    /// Whether somebody who waits has asked to stop whoever holds a port.
    pub(super) fn takes_ports(&self) -> bool {
        self.ops.values().any(|op| op.take_ports)
    }

    /// The supervisor's own `down` of the whole stack.
    pub(super) fn shut_down_op(&mut self, op: OpId) {
        let state = Op {
            client: None,
            follow: false,
            take_ports: false,
            is_up: false,
            whole_down: true,
            waits_for_end: false,
            cause: Cause::Supervisor,
            is_keepers: true,
            outcome: None,
        };
        self.ops.insert(op, state);
    }

    /// Keeps an outcome until the keeper has proved that nothing is left.
    pub(super) fn await_proof(&mut self, op: OpId, outcome: Outcome) {
        if let Some(op) = self.ops.get_mut(&op) {
            op.outcome = Some(outcome);
        }
    }

    /// Answers a request that is done.
    pub(super) fn answer(
        &mut self,
        op: OpId,
        outcome: Outcome,
        left: Option<Left>,
        status: Option<Box<Status>>,
    ) {
        if let Some((connection, id)) = self.ops.remove(&op).and_then(|op| op.client) {
            self.reply(connection, id, Reply::Outcome { outcome, left, status });
        }
    }

    /// Why the stack has been ended; none if nobody has asked for that.
    pub(super) fn cause_of_end(&self) -> Option<Cause> {
        self.ops.values().find(|op| op.outcome.is_some()).map(|op| op.cause.clone())
    }

    /// Answers everybody who waits for the end of the stack: this much is left of it.
    pub(super) fn answer_with(&mut self, left: &Left) {
        let waiting = self.ops.iter_mut();
        let waiting = waiting.filter_map(|(id, op)| Some((*id, op.outcome.take()?)));
        for (op, outcome) in waiting.collect::<Vec<_>>() {
            self.answer(op, outcome, Some(left.clone()), None);
        }
    }
}
