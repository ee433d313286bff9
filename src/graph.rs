//! The dependency graph: closure, order, cycles, critical path (petgraph).
