//! A topology as text, in the form in which Kafka Streams prints one, and as a drawing for Graphviz.

use std::fmt::{self, Write};

use mainstem_client::Text;

use super::{Child, Kind, Node, Topology};

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Topology: {}", self.name())?;
        for (number, part) in self.parts().iter().enumerate() {
            writeln!(f, "   Sub-topology: {number}")?;
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
        let Node { name, kind, parents, stores, .. } = &self.nodes()[index];
        match kind {
            Kind::Source { topic, .. } => writeln!(f, "    Source: {name} (topics: [{topic}])")?,
            Kind::Processor => writeln!(f, "    Processor: {name} (stores: [{}])", stores.join(", "))?,
            Kind::Sink { topic, .. } => writeln!(f, "    Sink: {name} (topic: {topic})")?,
        }
        if !matches!(kind, Kind::Sink { .. }) {
            writeln!(f, "      --> {}", listed(&self.child_names(index)))?;
        }
        if !parents.is_empty() {
            let parents: Vec<_> = parents.iter().map(|parent| parent.name.clone()).collect();
            writeln!(f, "      <-- {}", listed(&parents))?;
        }
        Ok(())
    }

    fn child_names(&self, index: usize) -> Vec<Text> {
        let name = |child: &Child| self.nodes()[child.node].name.clone();
        self.children(index).iter().map(name).collect()
    }

    /// The topology in the language of Graphviz: `dot -Tsvg`.
    ///
    /// ```
    /// # use mainstem_client::Text;
    /// # use mainstem_processor::StreamBuilder;
    /// let builder = StreamBuilder::new("copy");
    /// builder.stream::<Text, Text>("from").to("to");
    /// let dot = builder.build()?.to_dot();
    /// assert!(dot.contains(r#""from" -> "to.sink""#));
    /// # Ok::<(), mainstem_processor::TopologyError>(())
    /// ```
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut dot = String::new();
        // Writing into a string does not fail.
        let _ = self.write_dot(&mut dot);
        dot
    }

    fn write_dot(&self, dot: &mut String) -> fmt::Result {
        writeln!(dot, "digraph {} {{\n  rankdir=LR;\n  node [shape=box];", quoted(self.name()))?;
        for (number, part) in self.parts().iter().enumerate() {
            writeln!(dot, "  subgraph cluster_{number} {{\n    label=\"sub-topology {number}\";")?;
            for node in &part.nodes {
                let name = quoted(&self.nodes()[*node].name);
                writeln!(dot, "    {name}{};", shape(&self.nodes()[*node].kind))?;
            }
            for store in part.stores.iter().filter(|_| part.is_stateful) {
                writeln!(dot, "    {} [shape=cylinder];", quoted(&format!("store {store}")))?;
            }
            writeln!(dot, "  }}")?;
        }
        (0..self.nodes().len()).try_for_each(|node| self.write_edges(node, dot))?;
        writeln!(dot, "}}")
    }

    fn write_edges(&self, index: usize, dot: &mut String) -> fmt::Result {
        let Node { name, kind, stores, .. } = &self.nodes()[index];
        let name = quoted(name);
        for child in self.child_names(index) {
            writeln!(dot, "  {name} -> {};", quoted(&child))?;
        }
        for store in stores {
            writeln!(dot, "  {name} -> {} [dir=both, style=dashed];", quoted(&format!("store {store}")))?;
        }
        match kind {
            Kind::Source { topic, .. } => writeln!(dot, "  {} -> {name};", quoted(&format!("topic {topic}"))),
            Kind::Sink { topic, .. } => writeln!(dot, "  {name} -> {};", quoted(&format!("topic {topic}"))),
            Kind::Processor => Ok(()),
        }
    }
}

const fn shape(kind: &Kind) -> &'static str {
    match kind {
        Kind::Processor => "",
        Kind::Source { .. } | Kind::Sink { .. } => " [style=rounded]",
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn listed(names: &[Text]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
