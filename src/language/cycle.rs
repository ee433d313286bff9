//! Who needs whom, even indirectly, and the cycles in that.

use std::collections::{HashMap, VecDeque};

use petgraph::{algo::kosaraju_scc, graph::DiGraph};

use super::problem::Edge;

/// The edges of a stack, made ready for many questions.
#[derive(Debug)]
pub(super) struct Needs<'e> {
    /// By who needs.
    out: HashMap<&'e str, Vec<&'e Edge>>,
    /// The knot that each is in: those who need each other, or one alone.
    knots: HashMap<&'e str, usize>,
    /// The edges within each knot, in the order of the file.
    inner: Vec<Vec<&'e Edge>>,
    /// The knots that each reaches, as a set of bits.
    reached: Vec<Vec<u64>>,
}

impl<'e> Needs<'e> {
    /// Of these edges.
    pub(super) fn new(edges: &'e [Edge]) -> Self {
        let mut graph = DiGraph::<&str, ()>::new();
        let mut nodes = HashMap::new();
        let mut out: HashMap<&str, Vec<&Edge>> = HashMap::new();
        for edge in edges {
            let mut node =
                |name: &'e str| *nodes.entry(name).or_insert_with(|| graph.add_node(name));
            let (from, to) = (node(&edge.from), node(&edge.to));
            graph.add_edge(from, to, ());
            out.entry(&edge.from).or_default().push(edge);
        }
        let mut knots = HashMap::new();
        // Whom a knot needs comes before it.
        let found = kosaraju_scc(&graph);
        for (knot, members) in found.iter().enumerate() {
            knots.extend(members.iter().map(|node| (graph[*node], knot)));
        }
        let mut inner = vec![Vec::new(); found.len()];
        let mut reached = vec![vec![0; found.len().div_ceil(64)]; found.len()];
        for (knot, members) in found.iter().enumerate() {
            let names = members.iter().map(|node| graph[*node]);
            for edge in names.flat_map(|name| out.get(name).into_iter().flatten()) {
                let other = knots[edge.to.as_str()];
                reached[knot][other / 64] |= 1 << (other % 64);
                if other == knot {
                    inner[knot].push(*edge);
                    continue;
                }
                let (before, from) = reached.split_at_mut(knot);
                for (own, more) in from[0].iter_mut().zip(&before[other]) {
                    *own |= more;
                }
            }
        }
        inner.iter_mut().for_each(|edges: &mut Vec<&Edge>| edges.sort_by_key(|edge| edge.at));
        Self { out, knots, inner, reached }
    }

    /// Whether `from` needs `to`, even indirectly.
    pub(super) fn reaches(&self, from: &str, to: &str) -> bool {
        let (Some(from), Some(to)) = (self.knots.get(from), self.knots.get(to)) else {
            return false;
        };
        self.reached[*from][to / 64] >> (to % 64) & 1 == 1
    }

    /// A shortest way; empty from a name to itself, `None` if there is none.
    pub(super) fn path(&self, from: &str, to: &str) -> Option<Vec<Edge>> {
        (from == to || self.reaches(from, to)).then(|| path(&self.out, from, to)).flatten()
    }

    /// A shortest cycle out of every knot, each from its first edge in the file on.
    pub(super) fn cycles(&self) -> Vec<Vec<Edge>> {
        let mut cycles: Vec<Vec<Edge>> =
            self.inner.iter().filter_map(|edges| shortest(edges)).collect();
        cycles.sort_by_key(|cycle| cycle.iter().map(|edge| edge.at).min());
        cycles
    }
}

/// The shortest cycle in a knot.
fn shortest(edges: &[&Edge]) -> Option<Vec<Edge>> {
    let mut out: HashMap<&str, Vec<&Edge>> = HashMap::new();
    for edge in edges {
        out.entry(&edge.from).or_default().push(edge);
    }
    // Enough to begin at each of a few: a knot of thousands is told by any of its cycles.
    let starts = edges.iter().take(64);
    let cycles = starts.filter_map(|first| {
        let mut cycle = path(&out, &first.to, &first.from)?;
        cycle.insert(0, (*first).clone());
        Some(cycle)
    });
    cycles.min_by_key(Vec::len)
}

/// A shortest way; empty from a name to itself, `None` if there is none.
fn path(out: &HashMap<&str, Vec<&Edge>>, from: &str, to: &str) -> Option<Vec<Edge>> {
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
        assert_eq!(shown(&Needs::new(&edges).cycles()), ["ab", "x"]);
    }

    #[test]
    fn no_cycle_no_problem() {
        let edges = edges(&[("a", "b"), ("a", "c"), ("b", "c")]);
        assert!(Needs::new(&edges).cycles().is_empty());
    }

    #[test]
    fn who_is_reached_is_who_a_way_leads_to() {
        let pairs =
            [("a", "b"), ("b", "c"), ("c", "b"), ("c", "d"), ("e", "a"), ("f", "f"), ("e", "d")];
        let edges = edges(&pairs);
        let needs = Needs::new(&edges);
        for (from, to) in
            "abcdefg".chars().flat_map(|from| "abcdefg".chars().map(move |to| (from, to)))
        {
            let (from, to) = (&*from.to_string(), &*to.to_string());
            let way = pairs.iter().filter(|(name, _)| *name == from);
            let mut way = way.filter_map(|(_, next)| path(&needs.out, next, to));
            assert_eq!(needs.reaches(from, to), way.next().is_some(), "{from} {to}");
        }
        let way = needs.path("e", "d").expect("a way");
        assert_eq!(way.len(), 1, "the shortest");
        assert_eq!(needs.path("d", "e"), None);
    }
}
