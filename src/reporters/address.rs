//! Where a service is to be found.

use crate::{
    model::{Check, HttpTarget, Service, Text},
    status::ServiceStatus,
};

/// As its file has it: its `url`, its HTTP check's address, or its port.
pub(super) fn of_service(service: &Service) -> Option<String> {
    let url = service.url.as_ref().map(Text::as_declared);
    if let Some(url) = url.as_ref().and_then(Text::as_literal) {
        return Some(url.to_owned());
    }
    let speaks_http = service.ready.checks.iter().any(|check| match check {
        Check::Http(http) => matches!(http.target, HttpTarget::Path { .. }),
        Check::Tcp(_) | Check::Command(_) | Check::Prints(_) | Check::Notify | Check::Delay(_) => {
            false
        }
    });
    let port = service.ports.first()?;
    let number = port.number.fixed()?;
    Some(match speaks_http {
        true => port.url(number),
        false => format!("port {number}"),
    })
}

/// As `status` has it: its `url` or its port.
pub(super) fn of_status(service: &ServiceStatus) -> Option<String> {
    let port = service.ports.first().filter(|port| port.port != 0);
    service.url.clone().or_else(|| Some(format!("port {}", port?.port)))
}
