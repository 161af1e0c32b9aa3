//! A topology in the language of Mermaid, which many places that show Markdown draw.

use std::fmt::{self, Write};

use super::{
    Topology,
    drawing::{Line, Point},
};

impl Topology {
    /// The topology as a flowchart of Mermaid.
    ///
    /// ```
    /// # use mainstem_client::Text;
    /// # use mainstem_processor::StreamBuilder;
    /// let builder = StreamBuilder::new("copy");
    /// builder.stream::<Text, Text>("from").to("to");
    /// assert_eq!(
    ///     builder.build()?.to_mermaid(),
    ///     "flowchart LR\n\
    ///      \x20 subgraph part0[\"sub-topology 0\"]\n\
    ///      \x20   p0[\"from\"]\n\
    ///      \x20   p1[\"to.sink\"]\n\
    ///      \x20 end\n\
    ///      \x20 p2([\"topic from\"])\n\
    ///      \x20 p3([\"topic to\"])\n\
    ///      \x20 p0 --> p1\n\
    ///      \x20 p2 --> p0\n\
    ///      \x20 p1 --> p3\n"
    /// );
    /// # Ok::<(), mainstem_processor::TopologyError>(())
    /// ```
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut chart = Chart { text: String::new(), points: Vec::new() };
        // Writing into a string does not fail.
        let _ = chart.draw(self);
        chart.text
    }
}

/// A flowchart in the making. Its points have numbers, since names may hold what the language does not take.
struct Chart<'a> {
    text: String,
    points: Vec<Point<'a>>,
}

impl<'a> Chart<'a> {
    fn draw(&mut self, topology: &'a Topology) -> fmt::Result {
        writeln!(self.text, "flowchart LR")?;
        for (number, part) in topology.parts().iter().enumerate() {
            writeln!(self.text, "  subgraph part{number}[\"sub-topology {number}\"]")?;
            let nodes = part.nodes.iter().map(|node| Point::Node(&topology.nodes()[*node].name));
            for point in nodes.chain(topology.drawn_stores(number).map(Point::Store)) {
                write!(self.text, "  ")?;
                self.point(point)?;
            }
            writeln!(self.text, "  end")?;
        }
        self.topics(topology)?;
        topology.lines().try_for_each(|line| self.line(line))
    }

    /// Topics stand outside of the parts that they join.
    fn topics(&mut self, topology: &'a Topology) -> fmt::Result {
        for point in topology.lines().flat_map(|line| [line.from, line.to]) {
            if matches!(point, Point::Topic(_)) && !self.points.contains(&point) {
                self.point(point)?;
            }
        }
        Ok(())
    }

    fn point(&mut self, point: Point<'a>) -> fmt::Result {
        let (number, name) = (self.points.len(), escaped(point));
        self.points.push(point);
        match point {
            Point::Node(_) => writeln!(self.text, "  p{number}[\"{name}\"]"),
            Point::Store(_) => writeln!(self.text, "  p{number}[(\"{name}\")]"),
            Point::Topic(_) => writeln!(self.text, "  p{number}([\"{name}\"])"),
        }
    }

    fn line(&mut self, line: Line<'a>) -> fmt::Result {
        let arrow = if matches!(line.to, Point::Store(_)) { "<-.->" } else { "-->" };
        let number = |point| self.points.iter().position(|known| *known == point);
        match (number(line.from), number(line.to)) {
            (Some(from), Some(to)) => writeln!(self.text, "  p{from} {arrow} p{to}"),
            _ => Ok(()),
        }
    }
}

/// Mermaid takes what HTML would read otherwise as numbers of characters.
fn escaped(point: Point<'_>) -> String {
    let mut text = String::new();
    for character in point.to_string().chars() {
        match character {
            '"' | '#' | '<' | '>' | '&' | '`' => text.push_str(&format!("#{};", u32::from(character))),
            _ => text.push(character),
        }
    }
    text
}
