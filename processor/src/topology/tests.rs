//! What is refused, how a topology is printed, and which topics it takes.

use mainstem_client::Text;

use super::*;
use crate::{
    Context, InputBatch, ProcessResult, Processor, StreamBuilder, TestDriver, TestError, TestRecord,
};

/// Does nothing: these topologies are looked at and not run.
struct Idle;

impl Processor for Idle {
    fn process(&mut self, _: &InputBatch, _: &mut Context<'_>) -> ProcessResult {
        Ok(())
    }
}

/// A source `in` and a processor `work` behind it.
fn begun() -> TopologyBuilder {
    TopologyBuilder::new("t").source("in", "input").processor("work", ["in"], [], || Idle)
}

fn refusal(builder: TopologyBuilder) -> String {
    builder.build().unwrap_err().to_string()
}

#[test]
fn cycle_is_refused_with_the_way_round() {
    let builder = TopologyBuilder::new("t")
        .source("in", "input")
        .processor("a", ["in", "c"], [], || Idle)
        .processor("b", ["a"], [], || Idle)
        .processor("c", ["b"], [], || Idle)
        .sink("out", "output", ["c"]);
    let expected = "node a is part of a cycle: b -> c -> a -> b; write to a topic and read it again instead";
    assert_eq!(refusal(builder), expected);
}

#[test]
fn node_that_takes_from_itself_is_a_cycle() {
    let builder = begun().processor("self", ["work", "self"], [], || Idle);
    let error = builder.build().unwrap_err();
    assert_eq!(error, TopologyError::Cycle { node: "self".into(), path: "self -> self".to_owned() });
}

#[test]
fn nodes_may_be_added_before_their_parents() {
    let builder = TopologyBuilder::new("t")
        .sink("out", "output", ["work"])
        .processor("work", ["in"], [], || Idle)
        .source("in", "input");
    let topology = builder.build().unwrap();
    let names: Vec<_> = topology.nodes().iter().map(|node| &*node.name).collect();
    assert_eq!(names, ["in", "work", "out"]);
}

#[test]
fn second_node_of_a_name_is_refused_with_the_name() {
    let expected = "two nodes are named work; give one of them another name";
    assert_eq!(refusal(begun().processor("work", ["in"], [], || Idle)), expected);
    assert_eq!(refusal(begun().sink("work", "output", ["in"])), expected);
    assert_eq!(refusal(begun().source("work", "other")), expected);
}

#[test]
fn naming_a_step_like_another_node_is_refused() {
    let builder = StreamBuilder::new("t");
    let stream = builder.stream::<Text, Text>("in").filter(|_, _| true).named("kept");
    stream.filter(|_, _| true).named("kept").to("out");
    assert_eq!(builder.build().unwrap_err(), TopologyError::DuplicateNode { node: "kept".into() });
}

#[test]
fn second_store_of_a_name_is_refused_with_the_name() {
    let builder = begun().processor("counter", ["work"], ["counts"], || Idle).store("counts").store("counts");
    assert_eq!(refusal(builder), "two stores are named counts; give one of them another name");
}

#[test]
fn store_that_is_not_there_is_refused_with_those_that_are() {
    let builder = begun().processor("counter", ["work"], ["counts", "sums"], || Idle).store("counts");
    let expected = "node counter uses the store sums, which is not there; the stores are counts";
    assert_eq!(refusal(builder), expected);
}

#[test]
fn store_that_no_node_uses_is_refused_with_its_name() {
    let expected = "no node uses the store counts; name it where a processor is added, or leave it out";
    assert_eq!(refusal(begun().store("counts")), expected);
}

#[test]
fn sink_as_parent_is_refused_with_both_names() {
    let builder = begun().sink("out", "output", ["work"]).processor("behind", ["out"], [], || Idle);
    let expected = "node behind takes from out, which is a sink; take from the node in front of it";
    assert_eq!(refusal(builder), expected);
}

#[test]
fn parent_that_is_not_there_is_refused_with_those_that_are() {
    let builder = begun().sink("out", "output", ["wrok"]);
    assert_eq!(refusal(builder), "node out takes from wrok, which is not there; the nodes are in, work, out");
}

#[test]
fn node_without_a_parent_is_refused() {
    let builder = begun().sink("out", "output", []);
    assert_eq!(refusal(builder), "node out has no parent; name a source or a processor that gives to it");
}

#[test]
fn topic_with_two_sources_is_refused_with_both() {
    let expected = "source again reads topic input, which source in reads already; take from in twice";
    assert_eq!(refusal(begun().source("again", "input")), expected);
}

#[test]
fn topology_without_a_source_is_refused() {
    assert_eq!(refusal(TopologyBuilder::new("t")), "topology t has no source; add one");
}

#[test]
fn names_that_no_topic_can_have_are_refused() {
    let long = "n".repeat(201);
    for name in ["", "two words", "a/b", &long] {
        let error = TopologyBuilder::new(name).source("in", "input").build().unwrap_err();
        assert_eq!(error, TopologyError::BadName { kind: "topology", name: name.into() });
        let stored = begun().processor("s", ["in"], [name], || Idle).store(name);
        let expected = TopologyError::BadName { kind: "store", name: name.into() };
        assert_eq!(stored.build().unwrap_err(), expected);
    }
    assert!(TopologyBuilder::new(&long[..200]).source("in", "input").build().is_ok());
}

/// Counts the records of two topics together, by the key that they come with.
fn counted_together() -> Topology {
    let builder = StreamBuilder::new("t");
    let (left, right) = (builder.stream::<Text, Text>("left"), builder.stream::<Text, Text>("right"));
    left.merge(&right).group_by_key().count("counts").to("out");
    builder.build().unwrap()
}

#[test]
fn topics_that_meet_in_a_store_must_have_as_many_partitions_as_each_other() {
    let topology = counted_together();
    let error = TestDriver::with_partitions(&topology, &[("left", 2), ("right", 3)]).unwrap_err();
    let expected = PlanError::NotCoPartitioned {
        node: "counts".into(),
        topic: "left".into(),
        partitions: 2,
        other: "right".into(),
        others: 3,
    };
    assert!(matches!(&error, TestError::Plan(plan) if *plan == expected), "{error:?}");
    assert_eq!(
        error.to_string(),
        "node counts needs its topics co-partitioned, but left has 2 partitions and right has 3; \
         give them as many as each other, or put a repartition in front of counts"
    );
    assert!(TestDriver::with_partitions(&topology, &[("left", 3), ("right", 3)]).is_ok());
}

#[test]
fn topics_that_meet_where_nothing_is_kept_may_differ_in_partitions() {
    let builder = StreamBuilder::new("t");
    let (left, right) = (builder.stream::<Text, Text>("left"), builder.stream::<Text, Text>("right"));
    left.merge(&right).to("out");
    let mut driver =
        TestDriver::with_partitions(&builder.build().unwrap(), &[("left", 1), ("right", 3)]).unwrap();
    driver.pipe_record("right", &TestRecord::new("k", "v", 0).partition(2)).unwrap();
    assert_eq!(driver.read::<Text, Text>("out").unwrap().len(), 1);
}

#[test]
fn repartition_topic_has_as_many_partitions_as_the_topic_that_it_meets() {
    let builder = StreamBuilder::new("t");
    let moved =
        builder.stream::<Text, Text>("left").select_key(|_, value| value.clone()).repartition("moved");
    moved.merge(&builder.stream("right")).group_by_key().count("counts").to("out");
    let topology = builder.build().unwrap();
    let partitions = [("left", 2), ("right", 3)].map(|(topic, count)| (Text::from(topic), count));
    let plan = Plan::new(&topology, partitions.into()).unwrap();
    assert_eq!(plan.partitions["t-moved-repartition"], 3);
    assert_eq!(plan.tasks, [2, 3]);
}

#[test]
fn topic_without_partitions_is_refused_with_its_source() {
    let error = TestDriver::with_partitions(&counted_together(), &[("right", 0)]).unwrap_err();
    let expected = "source right reads topic right, which has no partitions; create it first";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn more_tasks_than_there_may_be_are_refused() {
    let error = TestDriver::with_partitions(&counted_together(), &[("left", 10_001), ("right", 10_001)]);
    assert_eq!(error.unwrap_err().to_string(), "the topology would have 10001 tasks, and 10000 is the limit");
}

/// Two parts with a repartition topic between them: branches that are merged, and a store.
fn in_two_parts() -> Topology {
    let builder = StreamBuilder::new("words");
    let split = builder.stream::<Text, Text>("lines").split("length");
    let long = split.branch("long", |_, line| line.len() > 80);
    let short = split.rest("short");
    long.merge(&short).group_by(|_, line| line.clone()).count("counts").to("line-counts");
    builder.build().unwrap()
}

#[test]
fn text_of_a_topology_in_two_parts_is_that_of_kafka_streams() {
    let expected = "\
Topology: words
   Sub-topology: 0
    Source: lines (topics: [lines])
      --> length
    Processor: length (stores: [])
      --> length-long, length-short
      <-- lines
    Processor: length-long (stores: [])
      --> length-long.merge
      <-- length
    Processor: length-short (stores: [])
      --> length-long.merge
      <-- length
    Processor: length-long.merge (stores: [])
      --> length-long.merge.group_by
      <-- length-long, length-short
    Processor: length-long.merge.group_by (stores: [])
      --> counts-repartition-sink
      <-- length-long.merge
    Sink: counts-repartition-sink (topic: words-counts-repartition)
      <-- length-long.merge.group_by

   Sub-topology: 1
    Source: counts-repartition-source (topics: [words-counts-repartition])
      --> counts
    Processor: counts (stores: [counts])
      --> line-counts.sink
      <-- counts-repartition-source
    Sink: line-counts.sink (topic: line-counts)
      <-- counts

";
    assert_eq!(in_two_parts().to_string(), expected);
}

#[test]
fn drawing_of_a_topology_has_its_parts_stores_and_topics() {
    let expected = r#"digraph "words" {
  rankdir=LR;
  node [shape=box];
  subgraph cluster_0 {
    label="sub-topology 0";
    "lines" [style=rounded];
    "length";
    "length-long";
    "length-short";
    "length-long.merge";
    "length-long.merge.group_by";
    "counts-repartition-sink" [style=rounded];
  }
  subgraph cluster_1 {
    label="sub-topology 1";
    "counts-repartition-source" [style=rounded];
    "counts";
    "line-counts.sink" [style=rounded];
    "store counts" [shape=cylinder];
  }
  "lines" -> "length";
  "topic lines" -> "lines";
  "length" -> "length-long";
  "length" -> "length-short";
  "length-long" -> "length-long.merge";
  "length-short" -> "length-long.merge";
  "length-long.merge" -> "length-long.merge.group_by";
  "length-long.merge.group_by" -> "counts-repartition-sink";
  "counts-repartition-sink" -> "topic words-counts-repartition";
  "counts-repartition-source" -> "counts";
  "topic words-counts-repartition" -> "counts-repartition-source";
  "counts" -> "line-counts.sink";
  "counts" -> "store counts" [dir=both, style=dashed];
  "line-counts.sink" -> "topic line-counts";
}
"#;
    assert_eq!(in_two_parts().to_dot(), expected);
}

#[test]
fn drawing_escapes_what_graphviz_would_take_for_the_end_of_a_name() {
    let dot = TopologyBuilder::new("t").source(r#"a"b\c"#, "input").build().unwrap().to_dot();
    assert!(dot.contains(r#""topic input" -> "a\"b\\c";"#), "{dot}");
}

#[test]
fn flowchart_joins_parts_by_their_topics_and_draws_each_point_once() {
    let chart = in_two_parts().to_mermaid();
    let count = |piece: &str| chart.matches(piece).count();
    assert_eq!((count("subgraph"), count("\"topic words-counts-repartition\"")), (2, 1), "{chart}");
    let number = |name: &str| {
        let line = chart.lines().find(|line| line.contains(&format!("\"{name}\""))).unwrap();
        line.trim().split(['[', '(']).next().unwrap().to_owned()
    };
    let arrows = [
        ("counts-repartition-sink", "-->", "topic words-counts-repartition"),
        ("topic words-counts-repartition", "-->", "counts-repartition-source"),
        ("counts", "<-.->", "store counts"),
    ];
    for (from, arrow, to) in arrows {
        let line = format!("  {} {arrow} {}\n", number(from), number(to));
        assert!(chart.contains(&line), "{line}{chart}");
    }
}

#[test]
fn flowchart_escapes_what_mermaid_would_read() {
    let chart = TopologyBuilder::new("t").source(r#"a"b<c"#, "input").build().unwrap().to_mermaid();
    assert!(chart.contains(r#"p0["a#34;b#60;c"]"#), "{chart}");
}

#[test]
fn json_names_nodes_with_their_stores_and_neighbours() {
    let json: serde_json::Value = serde_json::from_str(&in_two_parts().to_json()).unwrap();
    let counts = &json["sub_topologies"][1]["nodes"][1];
    let expected = serde_json::json!({
        "name": "counts",
        "kind": "processor",
        "stores": ["counts"],
        "parents": ["counts-repartition-source"],
        "children": ["line-counts.sink"],
    });
    assert_eq!((&json["name"], counts), (&"words".into(), &expected));
}

#[test]
fn topics_of_a_topology_are_named_after_it_and_its_stores() {
    let topology = in_two_parts();
    assert_eq!(topology.changelog("counts"), "words-counts-changelog");
    assert_eq!(plan::repartition_sinks(&topology, &topology.parts()[0]), ["words-counts-repartition"]);
    assert_eq!(topology.input_topics(), ["lines"]);
    assert_eq!(topology.output_topics(), ["line-counts"]);
}

#[test]
fn repartition_topic_is_named_after_topology_and_node() {
    let builder = StreamBuilder::new("app");
    builder.stream::<Text, Text>("in").repartition("by-user").to("out");
    let topology = builder.build().unwrap();
    let [front, behind] = topology.parts() else { panic!("{topology}") };
    assert_eq!(plan::repartition_sinks(&topology, front), ["app-by-user-repartition"]);
    let sources = plan::sources(&topology, behind);
    assert_eq!(sources, [("by-user-repartition-source".into(), "app-by-user-repartition".into(), true)]);
}

#[test]
fn repartition_that_no_topic_can_be_named_after_is_refused() {
    let builder = StreamBuilder::new("app");
    builder.stream::<Text, Text>("in").repartition("by user").to("out");
    let expected = TopologyError::BadName { kind: "repartition", name: "by user".into() };
    assert_eq!(builder.build().unwrap_err(), expected);
}

#[test]
fn nodes_that_share_a_store_are_one_part() {
    let builder = TopologyBuilder::new("t")
        .source("a", "left")
        .source("b", "right")
        .processor("puts", ["a"], ["shared"], || Idle)
        .processor("gets", ["b"], ["shared"], || Idle);
    assert_eq!(builder.store("shared").build().unwrap().parts().len(), 1);
    let apart = TopologyBuilder::new("t")
        .source("a", "left")
        .source("b", "right")
        .processor("puts", ["a"], ["one"], || Idle)
        .processor("gets", ["b"], ["two"], || Idle);
    assert_eq!(apart.store("one").store("two").build().unwrap().parts().len(), 2);
}
