//! The keeper: the parent of every service. It starts, signals, reaps and moves logs; it decides
//! nothing.

pub mod protocol;
