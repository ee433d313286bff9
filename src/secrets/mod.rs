//! Secret values, kept out of everything that stackrun puts into words.
//!
//! A value is secret because the stack file says so (`env { KEY "…" secret=#true }`) or because it
//! was read from an `env-file`. By its *name* a secret is masked wherever its variable is shown.
//! By its *value* it is masked wherever else it turns up: in the address of a check, in the last
//! line of a log, in the arguments of a stranger. [`Secrets`] says which values those are,
//! [`Masker`] finds them, in the forms in which they appear.
//!
//! Masking belongs where bytes leave a process: to the ledger, to a client, to a terminal. All of
//! these ask for [`masker`]: a process has to do with one stack, and so there is one for all. What
//! the supervisor leaves for its successor has to be whole, and is sealed instead: [`Sealer`].

mod forms;
mod masker;
mod rule;
mod seal;
mod values;

use std::sync::{Arc, LazyLock, PoisonError, RwLock};

pub(crate) use self::{
    masker::{MASK, Masker},
    seal::{Sealed, Sealer, is_sealed, unknown, unknown_in, unseal},
    values::{Secrets, Source},
};
use crate::model::Stack;

/// What this process knows.
static KNOWN: LazyLock<RwLock<Known>> = LazyLock::new(RwLock::default);

#[derive(Debug, Default)]
struct Known {
    secrets: Arc<Secrets>,
    masker: Arc<Masker>,
}

/// What masks the secrets that this process knows.
pub(crate) fn masker() -> Arc<Masker> {
    Arc::clone(&KNOWN.read().unwrap_or_else(PoisonError::into_inner).masker)
}

/// The secrets that this process knows.
pub(crate) fn known() -> Arc<Secrets> {
    Arc::clone(&KNOWN.read().unwrap_or_else(PoisonError::into_inner).secrets)
}

/// From now on the secrets of this stack are masked, too.
pub(crate) fn learn(stack: &Stack) {
    let mut secrets = Secrets::clone(&known());
    secrets.add(stack);
    know(secrets);
}

/// From now on these are masked, and no others.
pub(crate) fn know(secrets: Secrets) {
    if *known() == secrets {
        return;
    }
    let masker = Arc::new(Masker::of(&secrets));
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    *known = Known { secrets: Arc::new(secrets), masker };
}
