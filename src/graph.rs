//! The dependency graph: what needs what, directly or not, and the order of starts (petgraph).
//!
//! An edge goes from what depends to what it depends on. A *need* pulls in; an *after* only
//! orders, and so does what is needed *through* a task: it outlives the task's run. An `after` that
//! would close a cycle is left out when the graph is built, so that two services may each say
//! `after` of the other.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap},
};

use petgraph::{
    Direction,
    algo::has_path_connecting,
    graph::{DiGraph, NodeIndex},
    visit::EdgeRef,
};

use crate::model::{Need, NeedUntil, Stack};

/// A service or task in a [`Graph`]: its place in the order of declaration.
pub type Id = usize;

/// What depends on what.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    graph: DiGraph<String, Edge>,
    ids: HashMap<String, Id>,
}

/// Why one comes after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edge {
    /// It needs it.
    Need(Need),
    /// It is started after it, if both are.
    After,
    /// It needs a task that needs it. Once the task is done nobody waits for that any more; yet
    /// the one goes down before the other, and up after it.
    Through(NeedUntil),
}

/// A service or task with what it depends on, as [`Graph::new`] takes it.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it is a task: what needs it needs what it needs.
    pub is_task: bool,
    /// What it needs.
    pub needs: &'a [Need],
    /// What it comes after.
    pub after: &'a [String],
}

impl Graph {
    /// The graph of a whole stack: services first, then tasks, each in the order of the file.
    pub fn of(stack: &Stack) -> Self {
        let services = stack.services.iter().map(|service| Entry {
            name: &service.name,
            is_task: false,
            needs: &service.needs,
            after: &service.after,
        });
        let tasks = stack.tasks.iter().map(|task| Entry {
            name: &task.name,
            is_task: true,
            needs: &task.needs,
            after: &task.after,
        });
        Self::new(services.chain(tasks))
    }

    /// The graph of these, in this order. What names nothing is left out.
    pub fn new<'a>(entries: impl Iterator<Item = Entry<'a>> + Clone) -> Self {
        let mut this = Self::default();
        let mut tasks: HashMap<&str, &[Need]> = HashMap::new();
        for entry in entries.clone() {
            let id = this.graph.add_node(entry.name.to_owned());
            this.ids.insert(entry.name.to_owned(), id.index());
            if entry.is_task {
                tasks.insert(entry.name, entry.needs);
            }
        }
        if !tasks.is_empty() {
            for (from, entry) in entries.clone().enumerate() {
                for (name, until) in through(&entry, &tasks) {
                    if let Some(&to) = this.ids.get(name) {
                        this.graph.add_edge(node(from), node(to), Edge::Through(until));
                    }
                }
            }
        }
        // petgraph walks the edges of a node from the newest to the oldest: added in reverse, they
        // are met in the order of the file.
        for (from, entry) in entries.clone().enumerate() {
            for need in entry.needs.iter().rev() {
                if let Some(&to) = this.ids.get(&need.name) {
                    this.graph.add_edge(node(from), node(to), Edge::Need(need.clone()));
                }
            }
        }
        for (from, entry) in entries.enumerate() {
            for name in entry.after.iter().rev() {
                let Some(&to) = this.ids.get(name) else { continue };
                if !has_path_connecting(&this.graph, node(to), node(from), None) {
                    this.graph.add_edge(node(from), node(to), Edge::After);
                }
            }
        }
        this
    }

    /// How many services and tasks there are.
    pub fn len(&self) -> usize {
        self.graph.node_count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of a name.
    pub fn id(&self, name: &str) -> Option<Id> {
        self.ids.get(name).copied()
    }

    /// The name at a place.
    pub fn name(&self, id: Id) -> &str {
        &self.graph[node(id)]
    }

    /// What it depends on, and how, in the order of the file.
    pub fn edges(&self, id: Id) -> impl Iterator<Item = (Id, &Edge)> {
        let edges = self.graph.edges_directed(node(id), Direction::Outgoing);
        edges.map(|edge| (edge.target().index(), edge.weight()))
    }

    /// What it needs, in the order of the file.
    pub fn needs(&self, id: Id) -> impl Iterator<Item = (Id, &Need)> {
        self.edges(id).filter_map(|(to, edge)| as_need(edge).map(|need| (to, need)))
    }

    /// What depends on it, and how.
    pub fn incoming(&self, id: Id) -> impl Iterator<Item = (Id, &Edge)> {
        let edges = self.graph.edges_directed(node(id), Direction::Incoming);
        edges.map(|edge| (edge.source().index(), edge.weight()))
    }

    /// What needs it.
    pub fn needed_by(&self, id: Id) -> impl Iterator<Item = (Id, &Need)> {
        self.incoming(id).filter_map(|(from, edge)| as_need(edge).map(|need| (from, need)))
    }

    /// These and everything they need, directly or not.
    pub fn closure(&self, from: impl IntoIterator<Item = Id>) -> BTreeSet<Id> {
        reach(from, |id| self.needs(id).map(|(to, _)| to).collect())
    }

    /// These and everything that needs them, directly or not.
    pub fn dependents(&self, from: impl IntoIterator<Item = Id>) -> BTreeSet<Id> {
        reach(from, |id| self.needed_by(id).map(|(to, _)| to).collect())
    }

    /// These and everything that follows their restarts, directly or not. Only what `restarts`
    /// does: nothing is restarted because a task runs again.
    pub fn followers(
        &self,
        from: impl IntoIterator<Item = Id>,
        restarts: impl Fn(Id) -> bool,
    ) -> BTreeSet<Id> {
        reach(from, |id| {
            let following = self.needed_by(id).filter(|(_, need)| need.follow);
            following.map(|(to, _)| to).filter(|&to| restarts(to)).collect()
        })
    }

    /// Everything in an order in which it may be started; where the edges leave it open, as in
    /// the file. What is in a cycle comes last.
    pub fn start_order(&self) -> Vec<Id> {
        let mut open: Vec<usize> = (0..self.len()).map(|id| self.edges(id).count()).collect();
        let mut free: BinaryHeap<Reverse<Id>> =
            (0..self.len()).filter(|&id| open[id] == 0).map(Reverse).collect();
        let mut order = Vec::with_capacity(self.len());
        while let Some(Reverse(id)) = free.pop() {
            order.push(id);
            for (dependent, _) in self.incoming(id) {
                open[dependent] -= 1;
                if open[dependent] == 0 {
                    free.push(Reverse(dependent));
                }
            }
        }
        order.extend((0..self.len()).filter(|&id| open[id] > 0));
        order
    }
}

fn node(id: Id) -> NodeIndex {
    NodeIndex::new(id)
}

fn as_need(edge: &Edge) -> Option<&Need> {
    match edge {
        Edge::Need(need) => Some(need),
        Edge::After | Edge::Through(_) => None,
    }
}

/// The services that it needs through tasks alone, and how far each has to come.
fn through<'a>(
    entry: &Entry<'a>,
    tasks: &HashMap<&str, &'a [Need]>,
) -> BTreeMap<&'a str, NeedUntil> {
    let mut found: BTreeMap<&str, NeedUntil> = BTreeMap::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let direct = |name: &str| entry.needs.iter().any(|need| need.name == name);
    let mut open: Vec<&Need> = entry.needs.iter().collect();
    while let Some(need) = open.pop() {
        let Some(behind) = tasks.get(&*need.name).filter(|_| seen.insert(&need.name)) else {
            continue;
        };
        for need in behind.iter().filter(|need| !direct(&need.name)) {
            if !tasks.contains_key(&*need.name) {
                let until = found.entry(&need.name).or_insert(need.until);
                if need.until == NeedUntil::Ready {
                    *until = NeedUntil::Ready;
                }
            }
            open.push(need);
        }
    }
    found
}

fn reach(from: impl IntoIterator<Item = Id>, next: impl Fn(Id) -> Vec<Id>) -> BTreeSet<Id> {
    let mut found = BTreeSet::new();
    let mut open: Vec<Id> = from.into_iter().collect();
    while let Some(id) = open.pop() {
        if found.insert(id) {
            open.extend(next(id));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Service;

    fn stack(of: &[(&str, &[&str], &[&str])]) -> Stack {
        let services = of.iter().map(|(name, needs, after)| Service {
            needs: needs.iter().map(|need| Need::new(*need)).collect(),
            after: after.iter().map(|name| (*name).to_owned()).collect(),
            ..Service::new(*name, "/")
        });
        Stack { services: services.collect(), ..Stack::default() }
    }

    fn names(graph: &Graph, ids: impl IntoIterator<Item = Id>) -> Vec<&str> {
        ids.into_iter().map(|id| graph.name(id)).collect()
    }

    #[test]
    fn starts_by_need_then_by_declaration() {
        let graph = Graph::of(&stack(&[
            ("web", &["api"], &[]),
            ("api", &["db", "cache"], &[]),
            ("db", &[], &[]),
            ("cache", &[], &["db"]),
            ("docs", &[], &[]),
        ]));
        assert_eq!(names(&graph, graph.start_order()), ["db", "cache", "api", "web", "docs"]);
        assert_eq!(names(&graph, graph.closure([1])), ["api", "db", "cache"]);
        assert_eq!(names(&graph, graph.dependents([2])), ["web", "api", "db"]);
    }

    #[test]
    fn an_after_that_closes_a_cycle_is_left_out() {
        let graph = Graph::of(&stack(&[("a", &["b"], &[]), ("b", &[], &["a"])]));
        assert_eq!(graph.edges(1).count(), 0);
        let graph = Graph::of(&stack(&[("a", &[], &["b"]), ("b", &[], &["a"])]));
        assert_eq!((graph.edges(0).count(), graph.edges(1).count()), (1, 0));
    }

    #[test]
    fn what_a_task_needs_is_needed_through_it() {
        use crate::model::{Command, Task, TaskBody};
        let task = |name: &str, needs: &[&str]| Task {
            needs: needs.iter().map(|need| Need::new(*need)).collect(),
            ..Task::new(name, "/", TaskBody::Command(Command::Run(vec!["do".into()])))
        };
        let services = stack(&[
            ("db", &[], &[]),
            ("cache", &[], &[]),
            ("api", &["migrate", "cache"], &[]),
            ("web", &["api"], &[]),
        ]);
        let tasks = vec![task("migrate", &["build", "cache"]), task("build", &["db"])];
        let graph = Graph::of(&Stack { tasks, ..services });
        let through = |id| {
            let through = graph.edges(id).filter(|(_, edge)| matches!(edge, Edge::Through(_)));
            names(&graph, through.map(|(to, _)| to))
        };
        assert_eq!([through(2), through(3), through(4)], [vec!["db"], vec![], vec!["db"]]);
    }
}
