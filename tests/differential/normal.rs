//! What must differ between any two brokers is made equal: names that a broker gives, the time, where it listens.

use std::{cmp::Ordering, collections::BTreeMap};

use mainstem_protocol::{
    messages::ResponseBody,
    records::{Batch, Records, Tail, TimestampType, batches},
};

use crate::{side::Side, socket::Outcome, tree::Tree};

/// Fields that say nothing about what a broker does: where and who it is, how busy, how large its disk, and sentences for
/// people.
const OF_THE_MACHINE: &[&str] = &[
    "brokers",
    "cluster_id",
    "controller_id",
    "client_host",
    "error_message",
    "batch_index_error_message",
    "host",
    "log_dir",
    "port",
    "last_timestamp",
    "throttle_time_ms",
    "total_bytes",
    "transaction_start_time_ms",
    "usable_bytes",
];

/// The same of the log of the metadata, which is of one broker alone.
const OF_THE_METADATA_LOG: &[&str] = &["high_watermark", "log_end_offset"];

/// Fields by which the items of a list are told apart; their order in a list means nothing.
const NAMES: &[&str] = &[
    "name",
    "topic",
    "topic_name",
    "topic_id",
    "group_id",
    "group",
    "member_id",
    "key",
    "resource_type",
    "resource_name",
    "api_key",
    "partition_index",
    "partition",
    "index",
    "transactional_id",
    "config_name",
];

/// An outcome without what must differ.
pub(crate) fn normal(outcome: &Outcome, side: &Side) -> Tree {
    match outcome {
        Outcome::Answer(response) => of_response(response, side),
        Outcome::Silence => Tree::atom("(no answer)"),
        Outcome::Closed => Tree::atom("(connection closed)"),
        Outcome::Wrong(what) => Tree::Atom(format!("({what})")),
    }
}

fn of_response(response: &ResponseBody, side: &Side) -> Tree {
    let mut tree = Tree::of(response);
    let mut records = records(response).into_iter();
    let symbols = side.symbols();
    let is_of_metadata = matches!(response, ResponseBody::DescribeQuorum(_));
    tree.each_field(&mut |name, value| match name {
        "records" if *value != Tree::atom("null") => {
            *value = records.next().map_or_else(|| Tree::List(Vec::new()), |records| of_records(&records));
        }
        "session_id" if *value != Tree::atom("0") => *value = Tree::atom("<session>"),
        name if OF_THE_MACHINE.contains(&name) => *value = Tree::atom("-"),
        name if is_of_metadata && OF_THE_METADATA_LOG.contains(&name) => *value = Tree::atom("-"),
        _ => {}
    });
    tree.each_field(&mut |name, value| rename(name, value, &symbols, side.prefix()));
    if let ResponseBody::Metadata(_)
    | ResponseBody::ListGroups(_)
    | ResponseBody::DescribeLogDirs(_)
    | ResponseBody::ListTransactions(_)
    | ResponseBody::ListConfigResources(_)
    | ResponseBody::DescribeTopicPartitions(_) = response
    {
        tree.each_field(&mut |_, value| leave_own(value));
    }
    tree.each_field(&mut |_, value| merge(value));
    tree.each_field(&mut |name, value| match value {
        Tree::List(partitions) if name == "partitions" => partitions.sort(),
        _ => {}
    });
    tree.each_field(&mut |_, value| sort(value));
    tree
}

/// A topic that a request names twice is answered once by Kafka, with the partitions of both. A partition that is named
/// twice may be answered once or twice alike.
fn merge(value: &mut Tree) {
    let Tree::List(items) = value else { return };
    let mut merged: Vec<Tree> = Vec::new();
    for item in items.drain(..) {
        match merged.iter_mut().find_map(|other| partitions_of_same(other, &item)) {
            Some((partitions, more)) => partitions.extend(more),
            None => merged.push(item),
        }
    }
    *items = merged;
}

/// Where a topic's partitions stand.
const PARTITIONS: &[&str] = &["partitions", "partition_responses"];

/// The partitions of an item, and those of another item that is the same otherwise.
fn partitions_of_same<'a>(item: &'a mut Tree, other: &Tree) -> Option<(&'a mut Vec<Tree>, Vec<Tree>)> {
    let (Tree::Structure(fields), Tree::Structure(others)) = (item, other) else { return None };
    let at = fields.iter().position(|(name, _)| PARTITIONS.contains(&name.as_str()))?;
    let is_same =
        fields.len() == others.len() && (0..fields.len()).all(|it| it == at || fields[it] == others[it]);
    match (&mut fields[at].1, &others.get(at)?.1) {
        (Tree::List(partitions), Tree::List(more)) if is_same => Some((partitions, more.clone())),
        _ => None,
    }
}

/// Marks a name as the sequence's own.
const OWN: char = '~';

fn rename(field: &str, value: &mut Tree, symbols: &BTreeMap<String, String>, prefix: &str) {
    match value {
        Tree::Atom(atom) => {
            let symbol = match field {
                "producer_id" => symbols.get(&format!("producer {atom}")),
                _ => symbols.get(atom.as_str()),
            };
            if let Some(symbol) = symbol {
                atom.clone_from(symbol);
            }
        }
        Tree::Text(text) => {
            let symbol = symbols.get(text.as_str()).cloned();
            *text = symbol.unwrap_or_else(|| text.replace(prefix, &OWN.to_string()));
        }
        Tree::List(items) => items.iter_mut().for_each(|item| match item {
            Tree::Atom(_) | Tree::Text(_) => rename(field, item, symbols, prefix),
            _ => {}
        }),
        Tree::Structure(_) => {}
    }
}

/// Of a list of all that there is, what other sequences have left says nothing.
fn leave_own(value: &mut Tree) {
    let Tree::List(items) = value else { return };
    items.retain(|item| {
        let name = ["name", "group_id", "transactional_id", "resource_name"]
            .iter()
            .find_map(|name| item.field(name));
        let is_refused = item.field("error_code").is_some_and(|code| *code != Tree::atom("NONE"));
        match name {
            Some(Tree::Text(name)) => name.starts_with(OWN) || is_refused,
            _ => true,
        }
    });
}

fn sort(value: &mut Tree) {
    let Tree::List(items) = value else { return };
    if items.iter().all(|item| matches!(item, Tree::Structure(_) | Tree::Text(_))) {
        items.sort_by(|left, right| by_name(left, right).then_with(|| left.cmp(right)));
        // What a request names twice is answered once, or twice alike.
        items.dedup();
    }
}

fn by_name(left: &Tree, right: &Tree) -> Ordering {
    NAMES
        .iter()
        .map(|name| left.field(name).cmp(&right.field(name)))
        .find(|it| it.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn records(response: &ResponseBody) -> Vec<Records> {
    let ResponseBody::Fetch(response) = response else { return Vec::new() };
    let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    partitions.filter_map(|partition| partition.records.clone()).collect()
}

/// Whole batches, each by its header and what it holds. Where an answer may hold no more, Kafka cuts the last batch short
/// and readers drop it.
fn of_records(records: &Records) -> Tree {
    let bytes = records.bytes().expect("an answer is in memory");
    let whole = batches(bytes, Tail::Skip).map(|batch| match batch {
        Ok(batch) => of_batch(&batch),
        Err(error) => Tree::Atom(format!("({error})")),
    });
    Tree::List(whole.collect())
}

/// What a broker's clock says in a batch that it makes, or of which it sets the time.
const TIMES: &[&str] = &["base_timestamp", "max_timestamp"];

fn of_batch(batch: &Batch) -> Tree {
    let mut tree = Tree::of(batch.header());
    let Tree::Structure(fields) = &mut tree else { unreachable!("a header has fields") };
    // It covers the producer's id, which each broker chooses.
    fields.retain(|(name, _)| name != "crc");
    let attributes = batch.header().attributes;
    if attributes.is_control() || attributes.timestamp_type() == TimestampType::LogAppendTime {
        fields.retain(|(name, _)| !TIMES.contains(&name.as_str()));
    }
    fields.push(("is_intact".to_owned(), Tree::Atom(batch.is_intact().to_string())));
    let payload = batch.payload();
    let sum = payload.iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    fields.push(("payload".to_owned(), Tree::Atom(format!("{} bytes, {sum:x}", payload.len()))));
    tree
}
