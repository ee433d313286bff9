//! Cycles of `needs`: the shortest one of each knot.

use std::collections::{HashMap, HashSet, VecDeque};

use petgraph::{algo::tarjan_scc, graph::DiGraph};

use super::problem::Edge;

/// A shortest cycle out of every knot of `edges`, each from its first edge in the file on.
pub(super) fn cycles(edges: &[Edge]) -> Vec<Vec<Edge>> {
    let mut graph = DiGraph::<&str, ()>::new();
    let mut nodes = HashMap::new();
    for name in edges.iter().flat_map(|edge| [edge.from.as_str(), edge.to.as_str()]) {
        nodes.entry(name).or_insert_with(|| graph.add_node(name));
    }
    for edge in edges {
        graph.add_edge(nodes[edge.from.as_str()], nodes[edge.to.as_str()], ());
    }
    let knots = tarjan_scc(&graph);
    let mut cycles: Vec<Vec<Edge>> = knots
        .iter()
        .filter_map(|knot| {
            let names: HashSet<&str> = knot.iter().map(|node| graph[*node]).collect();
            let inner: Vec<&Edge> = edges
                .iter()
                .filter(|edge| names.contains(&*edge.from) && names.contains(&*edge.to))
                .collect();
            shortest(&inner)
        })
        .collect();
    cycles.sort_by_key(|cycle| cycle.iter().map(|edge| edge.at).min());
    cycles
}

/// The shortest cycle in a knot.
fn shortest(edges: &[&Edge]) -> Option<Vec<Edge>> {
    // Enough to begin at each of a few: a knot of thousands is told by any of its cycles.
    let starts = edges.iter().take(64);
    let cycles = starts.filter_map(|first| {
        let mut cycle = path(edges.iter().copied(), &first.to, &first.from)?;
        cycle.insert(0, (*first).clone());
        Some(cycle)
    });
    cycles.min_by_key(Vec::len)
}

/// A shortest way over `edges`; empty from a name to itself, `None` if there is none.
pub(super) fn path<'e>(
    edges: impl Iterator<Item = &'e Edge>,
    from: &str,
    to: &str,
) -> Option<Vec<Edge>> {
    let mut out: HashMap<&str, Vec<&Edge>> = HashMap::new();
    for edge in edges {
        out.entry(&edge.from).or_default().push(edge);
    }
    let mut came: HashMap<&str, &Edge> = HashMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        if at == to {
            return Some(walk_back(&came, from, to));
        }
        for edge in out.get(at).into_iter().flatten() {
            if edge.to != from && !came.contains_key(edge.to.as_str()) {
                came.insert(&edge.to, edge);
                queue.push_back(&edge.to);
            }
        }
    }
    None
}

fn walk_back(came: &HashMap<&str, &Edge>, from: &str, to: &str) -> Vec<Edge> {
    let mut edges = Vec::new();
    let mut at = to;
    while at != from {
        let Some(edge) = came.get(at) else { break };
        edges.push((*edge).clone());
        at = &edge.from;
    }
    edges.reverse();
    edges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::source::Span;

    fn edges(pairs: &[(&str, &str)]) -> Vec<Edge> {
        let edge = |(at, (from, to)): (usize, &(&str, &str))| Edge {
            from: (*from).to_owned(),
            to: (*to).to_owned(),
            group: None,
            at: Span { file: 0, start: at, end: at + 1 },
        };
        pairs.iter().enumerate().map(edge).collect()
    }

    fn shown(cycles: &[Vec<Edge>]) -> Vec<String> {
        let names = |cycle: &Vec<Edge>| cycle.iter().map(|edge| edge.from.clone()).collect();
        cycles.iter().map(names).collect()
    }

    #[test]
    fn the_shortest_cycle_of_each_knot() {
        let edges =
            edges(&[("a", "b"), ("b", "c"), ("c", "a"), ("b", "a"), ("x", "x"), ("c", "x")]);
        assert_eq!(shown(&cycles(&edges)), ["ab", "x"]);
    }

    #[test]
    fn no_cycle_no_problem() {
        assert!(cycles(&edges(&[("a", "b"), ("a", "c"), ("b", "c")])).is_empty());
    }
}
