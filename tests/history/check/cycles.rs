//! Transactions that depend on one another in a circle: they saw what cannot have been.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Finding, Isolation, Link, Why, logs::Logs, logs::read_by};
use crate::history::{Fate, History, OperationId, Process};

type Graph = BTreeMap<OperationId, BTreeMap<OperationId, Why>>;

/// One cycle for each set of operations that hang together, the shortest through its first one.
pub(super) fn check(history: &History, logs: &Logs, isolation: Isolation) -> Vec<Finding> {
    let graph = without_ends(graph(history, logs, isolation));
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for start in graph.keys().copied() {
        if seen.contains(&start) {
            continue;
        }
        if let Some(links) = shortest_cycle(&graph, start) {
            seen.extend(links.iter().map(|link| link.from));
            findings.push(Finding::DirtyCycle { links });
        }
    }
    findings
}

fn graph(history: &History, logs: &Logs, isolation: Isolation) -> Graph {
    let mut graph = Graph::new();
    let mut add = |from: OperationId, to: OperationId, why| {
        if from != to {
            graph.entry(from).or_default().entry(to).or_insert(why);
        }
    };
    for (id, operation) in history.operations() {
        for (_, _, value) in read_by(&operation.steps) {
            logs.writers.get(&value).into_iter().for_each(|(writer, _)| add(*writer, id, Why::Read(value)));
        }
    }
    if isolation == Isolation::OrderedWrites {
        for order in logs.orders().into_values() {
            for pair in order.windows(2) {
                let writer = |at: usize| logs.writers.get(&pair[at]).map(|(writer, _)| *writer);
                if let (Some(first), Some(second)) = (writer(0), writer(1)) {
                    add(first, second, Why::WroteBehind(pair[0]));
                }
            }
        }
    }
    processes(history, &mut add);
    graph
}

/// Without what nothing leads to, again and again: of a history without cycles nothing is left.
fn without_ends(mut graph: Graph) -> Graph {
    let mut incoming: BTreeMap<OperationId, usize> = graph.keys().map(|id| (*id, 0)).collect();
    for to in graph.values().flat_map(BTreeMap::keys) {
        *incoming.entry(*to).or_default() += 1;
    }
    let mut free: Vec<_> = incoming.iter().filter(|(_, count)| **count == 0).map(|(id, _)| *id).collect();
    while let Some(id) = free.pop() {
        for to in graph.remove(&id).unwrap_or_default().into_keys() {
            if let Some(count) = incoming.get_mut(&to) {
                *count -= 1;
                free.extend((*count == 0).then_some(to));
            }
        }
    }
    graph
}

/// What one process did after another thing was over.
fn processes(history: &History, add: &mut impl FnMut(OperationId, OperationId, Why)) {
    let mut last: BTreeMap<Process, OperationId> = BTreeMap::new();
    let counts = history.operations().filter(|(_, operation)| operation.fate != Fate::Failed);
    for (id, operation) in counts {
        let before = last.insert(operation.process, id);
        if let Some(before) = before.filter(|before| history.operation(*before).precedes(operation)) {
            add(before, id, Why::Later);
        }
    }
}

/// Breadth first, from an operation back to itself.
fn shortest_cycle(graph: &Graph, start: OperationId) -> Option<Vec<Link>> {
    let mut came_by: BTreeMap<OperationId, Link> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(from) = queue.pop_front() {
        for (to, why) in graph.get(&from).into_iter().flatten() {
            let link = Link { from, to: *to, why: *why };
            if *to == start {
                return Some(way(&came_by, start, link));
            }
            if !came_by.contains_key(to) {
                came_by.insert(*to, link);
                queue.push_back(*to);
            }
        }
    }
    None
}

fn way(came_by: &BTreeMap<OperationId, Link>, start: OperationId, last: Link) -> Vec<Link> {
    let mut links = vec![last];
    while let Some(link) =
        links.last().filter(|link| link.from != start).and_then(|link| came_by.get(&link.from))
    {
        links.push(*link);
    }
    links.reverse();
    links
}
