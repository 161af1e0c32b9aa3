//! What can be said of co-partitioning before any topic is looked at: where records of several sources meet in a node that
//! keeps something, no two of them may have keys in different formats, or ask for different numbers of partitions.

use super::{Node, Topology, TopologyError};

/// Looks at all nodes that keep or look up something.
pub(super) fn check(topology: &Topology) -> Result<(), TopologyError> {
    let keeps = topology.nodes().iter().enumerate().filter(|(_, node)| !node.stores.is_empty());
    for (index, node) in keeps {
        let sources = topology.sources_of(index);
        let sources: Vec<_> = sources.into_iter().map(|source| &topology.nodes()[source]).collect();
        check_partitions(node, &sources)?;
        check_keys(node, &sources)?;
    }
    Ok(())
}

fn check_partitions(node: &Node, sources: &[&Node]) -> Result<(), TopologyError> {
    let asked = sources.iter().filter_map(|source| Some((&source.name, source.partitions?)));
    let Some(((one, partitions), (other, others))) = differing(asked) else { return Ok(()) };
    let (node, one, other) = (node.name.clone(), one.clone(), other.clone());
    Err(TopologyError::OtherPartitions { node, one, partitions, other, others })
}

fn check_keys(node: &Node, sources: &[&Node]) -> Result<(), TopologyError> {
    let told = sources.iter().filter(|source| !source.keys.is_empty());
    let told = told.map(|source| (&source.name, &source.keys));
    let Some(((one, keys), (other, others))) = differing(told) else { return Ok(()) };
    let keys = format!("the keys of {one} are {keys} and those of {other} are {others}");
    Err(TopologyError::OtherKeys { node: node.name.clone(), keys })
}

/// The first one, and the first that differs from it.
fn differing<N, T: PartialEq>(mut all: impl Iterator<Item = (N, T)>) -> Option<((N, T), (N, T))> {
    let first = all.next()?;
    let other = all.find(|(_, other)| *other != first.1)?;
    Some((first, other))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use mainstem_client::Text;

    use crate::{
        Context, InputBatch, ProcessResult, Processor, Stream, StreamBuilder, TopologyBuilder, topology::Plan,
    };

    /// Does nothing: these topologies are looked at and not run.
    struct Idle;

    impl Processor for Idle {
        fn process(&mut self, _: &InputBatch, _: &mut Context<'_>) -> ProcessResult {
            Ok(())
        }
    }

    /// Two sources that a processor takes from, with the store of one that keeps something.
    fn two_sources() -> TopologyBuilder {
        let builder = TopologyBuilder::new("t").source("one", "a").source("other", "b");
        builder.processor("both", ["one", "other"], ["kept"], || Idle).store("kept")
    }

    #[test]
    fn keys_of_two_formats_that_meet_in_a_store_are_refused_with_both_sources() {
        let error = two_sources().keys("other", "i32").keys("one", "i64").build().unwrap_err();
        assert_eq!(
            error.to_string(),
            "node both needs its topics co-partitioned, but the keys of one are i64 and those of other are i32: the same \
             key has other bytes there, and lies in another partition; write both in one format"
        );
    }

    #[test]
    fn keys_of_one_format_or_of_none_that_is_known_may_meet() {
        assert!(two_sources().keys("one", "i64").build().is_ok());
        assert!(two_sources().keys("one", "i64").keys("other", "i64").build().is_ok());
    }

    #[test]
    fn keys_of_two_formats_may_pass_where_nothing_is_kept() {
        let builder = TopologyBuilder::new("t").source("one", "a").source("other", "b");
        let builder = builder.keys("one", "i64").keys("other", "i32");
        assert!(builder.processor("both", ["one", "other"], [], || Idle).build().is_ok());
    }

    #[test]
    fn keys_of_what_is_no_source_are_refused_with_the_sources_that_there_are() {
        let error = two_sources().keys("both", "i64").build().unwrap_err();
        let expected =
            "the keys of both are said to be i64, and no source has that name; the sources are one, other";
        assert_eq!(error.to_string(), expected);
    }

    type Words = Stream<Text, Text>;

    fn moved(words: &Words) -> Words {
        words.select_key(|_, word| word.clone())
    }

    fn plan(builder: &StreamBuilder, inputs: &[(&str, i32)]) -> Result<Plan, crate::PlanError> {
        let inputs: HashMap<_, _> =
            inputs.iter().map(|(topic, count)| (Text::from(*topic), *count)).collect();
        Plan::new(&builder.build().unwrap(), inputs)
    }

    #[test]
    fn repartition_topic_has_as_many_partitions_as_are_asked_for_and_so_have_tasks_behind_it() {
        let builder = StreamBuilder::new("t");
        let _ = moved(&builder.stream("in")).repartition_into("moved", 6).group_by_key().count("counts");
        let plan = plan(&builder, &[("in", 2)]).unwrap();
        assert_eq!((plan.partitions["t-moved-repartition"], &*plan.tasks), (6, &[2, 6][..]));
    }

    #[test]
    fn repartition_topics_that_meet_have_as_many_partitions_as_one_of_them_asks_for() {
        let builder = StreamBuilder::new("t");
        let words = builder.stream::<Text, Text>("in");
        let (one, other) = (moved(&words).repartition_into("one", 6), moved(&words).repartition("other"));
        let _ = one.merge(&other).group_by_key().count("counts");
        // Nor does it matter how many a topic has that they do not meet.
        one.merge(&builder.stream("aside")).to("out");
        let plan = plan(&builder, &[("in", 2), ("aside", 3)]).unwrap();
        assert_eq!(plan.partitions["t-other-repartition"], 6);
        assert_eq!(plan.tasks, [2, 6]);
    }

    #[test]
    fn repartitions_that_meet_and_ask_for_different_numbers_are_refused_when_built() {
        let builder = StreamBuilder::new("t");
        let words = builder.stream::<Text, Text>("in");
        let (one, other) =
            (moved(&words).repartition_into("one", 6), moved(&words).repartition_into("other", 4));
        let _ = one.merge(&other).group_by_key().count("counts");
        assert_eq!(
            builder.build().unwrap_err().to_string(),
            "node counts needs its topics co-partitioned, but one-repartition-source asks for 6 partitions and \
             other-repartition-source for 4; let both ask for as many, or one of them for none: it then has as many as the \
             other"
        );
    }

    #[test]
    fn repartition_that_asks_for_other_partitions_than_the_topic_that_it_meets_is_refused() {
        let builder = StreamBuilder::new("t");
        let names = builder.table::<Text, Text>("names");
        let words = moved(&builder.stream("in")).repartition_into("moved", 6);
        words.join_table(&names, |_, word, _| word.clone()).to("out");
        let error = plan(&builder, &[("in", 2), ("names", 3)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "node moved-repartition-source.join needs its topics co-partitioned, but names has 3 partitions and \
             t-moved-repartition has 6; give them as many as each other, or put a repartition in front of \
             moved-repartition-source.join"
        );
        assert!(plan(&builder, &[("in", 2), ("names", 6)]).is_ok());
    }

    #[test]
    fn repartition_into_no_partitions_is_refused() {
        let builder = StreamBuilder::new("t");
        let _ = moved(&builder.stream("in")).repartition_into("moved", 0);
        let expected = "node moved-repartition-source asks for 0 partitions; ask for one at least";
        assert_eq!(builder.build().unwrap_err().to_string(), expected);
    }
}
