//! What the language knows but nothing carries out yet: read and checked in full, and told to
//! the user as having no effect.

use crate::model::{Origin, Service, Stack};

/// A node or property that has no effect yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// Which: `api.watch`, a key of [`Stack::origins`].
    pub path: String,
    /// Where it stands, if the file says so.
    pub origin: Option<Origin>,
}

/// A key of [`Stack::origins`] without the name before it, and whether somebody asks for it.
type Feature = (&'static str, fn(&Service) -> bool);

/// What a service may ask for that has no effect yet.
const OF_SERVICES: &[Feature] =
    &[("port.share", |service| service.ports.iter().any(|port| port.share))];

/// Everything in the stack that has no effect yet.
pub fn unsupported(stack: &Stack) -> Vec<Unsupported> {
    let entry = |name: &str, key: &str| {
        let path = format!("{name}.{key}");
        Unsupported { origin: stack.origins.get(&path).cloned(), path }
    };
    let services = stack
        .services
        .iter()
        .flat_map(|service| of_service(service).map(move |key| entry(&service.name, key)));
    services.collect()
}

/// What a service asks for that has no effect yet.
pub(super) fn of_service(service: &Service) -> impl Iterator<Item = &'static str> {
    OF_SERVICES.iter().filter(move |(_, asks)| asks(service)).map(|(key, _)| *key)
}
