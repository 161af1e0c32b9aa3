//! A topology in the language of Graphviz.

use std::fmt::{self, Write};

use super::{
    Topology,
    drawing::{Line, Point},
};
use crate::topology::Kind;

impl Topology {
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
            for node in part.nodes.iter().map(|node| &self.nodes()[*node]) {
                writeln!(dot, "    {}{};", quoted(&node.name), shape(&node.kind))?;
            }
            for store in self.drawn_stores(number) {
                writeln!(dot, "    {} [shape=cylinder];", quoted(Point::Store(store)))?;
            }
            writeln!(dot, "  }}")?;
        }
        self.lines().try_for_each(|line| write_line(line, dot))?;
        writeln!(dot, "}}")
    }
}

fn write_line(line: Line<'_>, dot: &mut String) -> fmt::Result {
    let look = if matches!(line.to, Point::Store(_)) { " [dir=both, style=dashed]" } else { "" };
    writeln!(dot, "  {} -> {}{look};", quoted(line.from), quoted(line.to))
}

const fn shape(kind: &Kind) -> &'static str {
    match kind {
        Kind::Processor => "",
        Kind::Source { .. } | Kind::Sink { .. } | Kind::Sinks => " [style=rounded]",
    }
}

fn quoted(text: impl fmt::Display) -> String {
    format!("\"{}\"", text.to_string().replace('\\', "\\\\").replace('"', "\\\""))
}
