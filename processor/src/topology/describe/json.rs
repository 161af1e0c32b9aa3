//! A topology as JSON, for programs that show or compare topologies.

use serde::Serialize;

use super::Topology;
use crate::topology::{Kind, Node, Part};

#[derive(Serialize)]
struct Described<'a> {
    name: &'a str,
    sub_topologies: Vec<DescribedPart<'a>>,
}

#[derive(Serialize)]
struct DescribedPart<'a> {
    nodes: Vec<DescribedNode<'a>>,
}

#[derive(Serialize)]
struct DescribedNode<'a> {
    name: &'a str,
    kind: &'static str,
    /// Of sources and sinks.
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    stores: Vec<&'a str>,
    parents: Vec<&'a str>,
    children: Vec<&'a str>,
}

impl Topology {
    /// The topology as JSON, on one line: its name; its sub-topologies; of each node the name, `source`, `processor` or
    /// `sink`, the topic, if it reads or writes a certain one, its stores, and the nodes in front of it and behind it.
    ///
    /// ```
    /// # use mainstem_client::Text;
    /// # use mainstem_processor::StreamBuilder;
    /// let builder = StreamBuilder::new("copy");
    /// builder.stream::<Text, Text>("from").to("to");
    /// let json: serde_json::Value = serde_json::from_str(&builder.build()?.to_json())?;
    /// assert_eq!(
    ///     json["sub_topologies"][0]["nodes"][1],
    ///     serde_json::json!({
    ///         "name": "to.sink", "kind": "sink", "topic": "to", "stores": [], "parents": ["from"], "children": []
    ///     })
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        let sub_topologies = self.parts().iter().map(|part| self.described_part(part)).collect();
        // Names and lists of names can always be written.
        serde_json::to_string(&Described { name: self.name(), sub_topologies }).unwrap_or_default()
    }

    fn described_part(&self, part: &Part) -> DescribedPart<'_> {
        DescribedPart { nodes: part.nodes.iter().map(|node| self.described_node(*node)).collect() }
    }

    fn described_node(&self, index: usize) -> DescribedNode<'_> {
        let node = &self.nodes()[index];
        let Node { name, kind, parents, .. } = node;
        let (kind, topic) = match kind {
            Kind::Source { topic, .. } => ("source", Some(&**topic)),
            Kind::Processor => ("processor", None),
            Kind::Sink { topic, .. } => ("sink", Some(&**topic)),
            Kind::Sinks => ("sink", None),
        };
        let parents = parents.iter().map(|parent| &*parent.name).collect();
        let children = self.child_nodes(index).map(|child| &*child.name).collect();
        let stores = node.all_stores().map(|store| &**store).collect();
        DescribedNode { name, kind, topic, stores, parents, children }
    }
}
