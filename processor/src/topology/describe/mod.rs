//! A topology as text, in the form in which Kafka Streams prints one; as JSON; and as a drawing.
//!
//! - `drawing`: what is drawn: points, and the lines between them; `dot` and `mermaid` put it into their languages.
//! - `json`: the same for programs.

mod dot;
mod drawing;
mod json;
mod mermaid;

use std::fmt;

use mainstem_client::Text;

use super::{Kind, Node, Topology};

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Topology: {}", self.name())?;
        for (number, part) in self.parts().iter().enumerate() {
            let whose = if part.is_global() { " for global store (will not generate tasks)" } else { "" };
            writeln!(f, "   Sub-topology: {number}{whose}")?;
            for node in &part.nodes {
                self.node(*node, f)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Topology {
    fn node(&self, index: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = &self.nodes()[index];
        let Node { name, kind, parents, .. } = node;
        match kind {
            Kind::Source { topic, .. } => writeln!(f, "    Source: {name} (topics: [{topic}])")?,
            Kind::Processor => {
                let stores: Vec<&str> = node.all_stores().map(|store| &**store).collect();
                writeln!(f, "    Processor: {name} (stores: [{}])", stores.join(", "))?;
            }
            Kind::Sink { topic, .. } => writeln!(f, "    Sink: {name} (topic: {topic})")?,
            Kind::Sinks => writeln!(f, "    Sink: {name} (topics: chosen by each record)")?,
        }
        if !matches!(kind, Kind::Sink { .. } | Kind::Sinks) {
            writeln!(f, "      --> {}", listed(self.child_nodes(index).map(|child| &child.name)))?;
        }
        if !parents.is_empty() {
            writeln!(f, "      <-- {}", listed(parents.iter().map(|parent| &parent.name)))?;
        }
        Ok(())
    }

    fn child_nodes(&self, index: usize) -> impl Iterator<Item = &Node> {
        self.children(index).into_iter().map(|child| &self.nodes()[child.node])
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a Text>) -> String {
    let names: Vec<&str> = names.map(|name| &**name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
