//! Reading the services' logs: merge, follow, tail.
