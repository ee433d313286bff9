//! Talking to the supervisor of a stack.

use super::error::Error;
use crate::{
    control::{Client, ClientError, Reply, Request},
    model::Stack,
    platform::{StackDir, StackPaths},
    status::Status,
};

/// A stack's folder, to look into what lasts in it.
pub(super) fn stack_dir(places: &StackPaths) -> Result<StackDir, Error> {
    StackDir::to_read(places).map_err(|error| Error::Io { path: places.folder.clone(), error })
}

/// Where the stack is that was just read.
pub(super) fn places_of(stack: &Stack) -> Result<StackPaths, Error> {
    Ok(StackPaths::of(&stack.dir).map_err(ClientError::from)?)
}

/// Asks the supervisor for its status.
pub(super) fn status_of(client: &mut Client) -> Result<Status, Error> {
    match client.call(Request::Status)? {
        Reply::Status { status } => Ok(status),
        other => Err(unexpected(&other)),
    }
}

/// Connects and asks; `None`: nothing is running, be it that it was just on its way down.
pub(super) fn ask_running<T>(
    connect: impl Fn() -> Result<Option<Client>, Error>,
    ask: impl Fn(Client) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    loop {
        let Some(client) = connect()? else { return Ok(None) };
        match ask(client) {
            Err(Error::Client(ClientError::Gone)) => {}
            answer => return answer.map(Some),
        }
    }
}

/// An answer that fits no question.
pub(super) fn unexpected(reply: &Reply) -> Error {
    match reply {
        Reply::Error { message } => Error::Other(message.clone()),
        _ => Error::Other("the supervisor gave an unexpected answer".into()),
    }
}
