//! What hangs on what, worked out once: who needs whom, what can be reached, and how long the chains are.

use super::Node;

/// What hangs on what.
pub(super) struct Graph {
    /// One for each node, in their order.
    pub(super) vertices: Vec<Vertex>,
}

/// A node's place in the graph.
#[derive(Default)]
pub(super) struct Vertex {
    /// The nodes that need it.
    pub(super) dependents: Vec<usize>,
    /// How many of its needs are not done yet, counted as often as they are named.
    pub(super) unmet: usize,
    /// Whether its turn can come at all: everything that it needs is done, or can be reached.
    pub(super) reachable: bool,
    /// The length of the longest chain of reachable nodes behind it.
    pub(super) chain: usize,
}

impl Graph {
    pub(super) fn of(nodes: &[Node]) -> Self {
        let mut vertices: Vec<Vertex> = std::iter::repeat_with(Vertex::default).take(nodes.len()).collect();
        for (task, node) in nodes.iter().enumerate() {
            let open = |need: &&usize| nodes.get(**need).is_none_or(|need| !need.done);
            for need in node.needs.iter().filter(open) {
                vertices[task].unmet += 1;
                // A need that does not exist is never met.
                if let Some(vertex) = vertices.get_mut(*need) {
                    vertex.dependents.push(task);
                }
            }
        }
        let mut graph = Self { vertices };
        let order = graph.reachable(nodes);
        graph.measure(&order);
        graph
    }

    /// Marks what can be reached, and returns it so that everything comes after what it needs (Kahn's algorithm: what
    /// is part of a circle, or behind one, is never free of unmet needs).
    fn reachable(&mut self, nodes: &[Node]) -> Vec<usize> {
        let takes_part = |task: usize| nodes.get(task).is_some_and(|node| !node.done && !node.excluded);
        let mut unmet: Vec<usize> = self.vertices.iter().map(|vertex| vertex.unmet).collect();
        let mut order: Vec<usize> = (0..nodes.len()).filter(|task| takes_part(*task) && unmet[*task] == 0).collect();
        let mut next = 0;
        while let Some(task) = order.get(next).copied() {
            next += 1;
            self.vertices[task].reachable = true;
            for dependent in &self.vertices[task].dependents {
                unmet[*dependent] -= 1;
                if unmet[*dependent] == 0 && takes_part(*dependent) {
                    order.push(*dependent);
                }
            }
        }
        order
    }

    fn measure(&mut self, order: &[usize]) {
        for task in order.iter().rev() {
            let behind = self.vertices[*task].dependents.iter().map(|dependent| &self.vertices[*dependent]);
            let longest = behind.filter(|vertex| vertex.reachable).map(|vertex| vertex.chain + 1).max();
            self.vertices[*task].chain = longest.unwrap_or(0);
        }
    }
}
