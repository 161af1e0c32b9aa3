//! Transactions from the command line: what is open is listed and described, and ended where somebody says so.

use mainstem_protocol::{
    ErrorCode, PartitionId, ProducerEpoch, ProducerId, Sequence, Text, Timestamp, TopicId,
    messages::{
        AddPartitionsToTxnRequest, EndTxnRequest, InitProducerIdRequest, ProduceRequest, ResponseBody,
        WriteTxnMarkersRequest,
        add_partitions_to_txn::AddPartitionsToTxnTopic,
        produce::{PartitionProduceData, TopicProduceData},
        write_txn_markers::{WritableTxnMarker, WritableTxnMarkerTopic},
    },
    records::{BatchBuilder, Compression, NewRecord, ProducerStamp, Records},
};

use crate::broker::{Broker, Folder};
use crate::process::run;
use crate::wire::Connection;

const ID: Text = Text::from_static("billing-1");
const TOPIC: Text = Text::from_static("orders");

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

/// Opens a transaction with one record in the first partition, and leaves it open.
fn open(broker: &Broker) -> ProducerId {
    let mut connection = Connection::open(broker.kafka.parse().unwrap());
    connection.create_topic("orders", 2, &[]);
    let (id, epoch) = init(&mut connection);
    add(&mut connection, id, epoch);
    write(&mut connection, id, epoch, 0);
    id
}

/// As [`open`], and then the transaction hangs: it is aborted past its coordinator, by somebody who claims to be a newer
/// one, and its producer writes on before it commits. The coordinator's own marker is too old for the partition.
fn hang(broker: &Broker) -> ProducerId {
    let mut connection = Connection::open(broker.kafka.parse().unwrap());
    connection.create_topic("orders", 2, &[]);
    let (id, epoch) = init(&mut connection);
    add(&mut connection, id, epoch);
    write(&mut connection, id, epoch, 0);
    abort_past_the_coordinator(&mut connection, id, epoch);
    write(&mut connection, id, epoch, 1);
    commit(&mut connection, id, epoch);
    id
}

fn abort_past_the_coordinator(connection: &mut Connection, id: ProducerId, epoch: ProducerEpoch) {
    let marker = WritableTxnMarker {
        producer_id: id,
        producer_epoch: epoch,
        transaction_result: false,
        topics: vec![WritableTxnMarkerTopic { name: TOPIC, partition_indexes: vec![PartitionId(0)] }],
        coordinator_epoch: 5,
        ..Default::default()
    };
    let answer = connection.call(WriteTxnMarkersRequest { markers: vec![marker] });
    let ResponseBody::WriteTxnMarkers(answer) = answer else { panic!("wrong response") };
    assert_eq!(answer.markers[0].topics[0].partitions[0].error_code, ErrorCode::NONE);
}

fn commit(connection: &mut Connection, id: ProducerId, epoch: ProducerEpoch) {
    let request =
        EndTxnRequest { transactional_id: ID, producer_id: id, producer_epoch: epoch, committed: true };
    let ResponseBody::EndTxn(answer) = connection.call(request) else { panic!("wrong response") };
    assert_eq!(answer.error_code, ErrorCode::NONE);
}

fn init(connection: &mut Connection) -> (ProducerId, ProducerEpoch) {
    let request = InitProducerIdRequest {
        transactional_id: Some(ID),
        transaction_timeout_ms: 60_000,
        producer_id: ProducerId::NONE,
        producer_epoch: ProducerEpoch::NONE,
    };
    let ResponseBody::InitProducerId(answer) = connection.call(request) else { panic!("wrong response") };
    assert_eq!(answer.error_code, ErrorCode::NONE);
    (answer.producer_id, answer.producer_epoch)
}

fn add(connection: &mut Connection, id: ProducerId, epoch: ProducerEpoch) {
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: ID,
        v3_and_below_producer_id: id,
        v3_and_below_producer_epoch: epoch,
        v3_and_below_topics: vec![AddPartitionsToTxnTopic { name: TOPIC, partitions: vec![PartitionId(0)] }],
        ..Default::default()
    };
    let ResponseBody::AddPartitionsToTxn(answer) = connection.call(request) else { panic!("wrong response") };
    let added = &answer.results_by_topic_v3_and_below[0].results_by_partition[0];
    assert_eq!(added.partition_error_code, ErrorCode::NONE);
}

fn write(connection: &mut Connection, id: ProducerId, epoch: ProducerEpoch, sequence: i32) {
    let stamp = ProducerStamp {
        producer_id: id,
        producer_epoch: epoch,
        base_sequence: Sequence(sequence),
        transactional: true,
    };
    let mut builder = BatchBuilder::new(Compression::None);
    let timestamp = Timestamp(1_700_000_000_000);
    builder.append(&NewRecord { timestamp, value: Some(b"held"), ..Default::default() }).unwrap();
    let records = Some(Records::Bytes(builder.seal(&stamp).unwrap()));
    let partition_data = vec![PartitionProduceData { index: 0, records }];
    let topic_data = vec![TopicProduceData { name: TOPIC, topic_id: TopicId::ZERO, partition_data }];
    let request = ProduceRequest { transactional_id: Some(ID), acks: -1, timeout_ms: 30_000, topic_data };
    let ResponseBody::Produce(answer) = connection.call(request) else { panic!("wrong response") };
    assert_eq!(answer.responses[0].partition_responses[0].error_code, ErrorCode::NONE);
}

#[test]
fn an_open_transaction_is_listed_and_described() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    assert_eq!(broker.run(&["txn", "list"]).well(), "there are no transactions yet\n");
    let producer = open(&broker).0;
    let listed = json(&broker.run(&["txn", "list", "--state", "ongoing", "--output", "json"]).well());
    let expected = serde_json::json!([
        { "id": "billing-1", "producer_id": producer, "state": "Ongoing", "coordinator": 1 }
    ]);
    assert_eq!(listed, expected);
    let shown = broker.run(&["txn", "list"]).well();
    assert!(shown.starts_with("TRANSACTIONAL ID  PRODUCER") && shown.contains("\nbilling-1 "), "{shown}");
    let others = broker.run(&["txn", "list", "--state", "completecommit"]).well();
    assert_eq!(others, "there are no such transactions; `mainstem txn list` shows all there are\n");
    let described = json(&broker.run(&["txn", "describe", "billing-1", "--output", "json"]).well());
    assert_eq!((&described["state"], &described["timeout_ms"]), (&"Ongoing".into(), &60_000.into()));
    assert_eq!(described["producer_id"], producer);
    assert_eq!(described["partitions"], serde_json::json!([{ "topic": "orders", "partition": 0 }]));
    let shown = broker.run(&["txn", "describe", "billing-1"]).well();
    assert!(shown.starts_with("billing-1: Ongoing, open for ") && shown.contains(" s of 60 s; "), "{shown}");
    assert!(shown.ends_with("\nTOPIC   PARTITION\norders  0\n"), "{shown}");
}

#[test]
fn an_open_transaction_does_not_hang_and_is_aborted_once_by_its_start_offset() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    let producer = open(&broker).0;
    // Its coordinator knows it, however old its records are: it does not hang.
    let hanging = ["txn", "find-hanging", "orders", "--older-than", "1s"];
    assert_eq!(broker.run(&hanging).well(), "no transaction hangs\n");
    let found = json(&broker.run(&[&hanging[..], &["--output", "json"]].concat()).well());
    assert_eq!(found, serde_json::json!([]));
    let abort = ["txn", "abort", "orders", "--partition", "0", "--start-offset", "0"];
    let refused = broker.run(&abort).failed(2);
    assert!(refused.starts_with("mainstem: nothing was done: there is nobody to ask"), "{refused}");
    let open = json(&broker.run(&["txn", "describe", "billing-1", "--output", "json"]).well());
    assert_eq!(open["state"], "Ongoing", "nobody has said that the records may go");
    let abort = [&abort[..], &["--yes"]].concat();
    let aborted = json(&broker.run(&[&abort[..], &["--output", "json"]].concat()).well());
    let expected =
        serde_json::json!({ "topic": "orders", "partition": 0, "producer_id": producer, "aborted": true });
    assert_eq!(aborted, expected);
    let again = broker.run(&abort).failed(1);
    let (problem, advice) = again.split_once("\n  ").unwrap();
    assert!(problem.starts_with("mainstem: no transaction begins at offset 0 in orders"), "{again}");
    assert_eq!(advice, "`mainstem txn find-hanging` shows where those begin that hang\n");
}

#[test]
fn a_transaction_that_hangs_is_found_and_aborted_and_then_there_is_none() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    let producer = hang(&broker).0;
    let read = ["consume", "orders", "--exit", "--partition", "0", "--format", "%o %s\\n"];
    for topic in [&[][..], &["orders"]] {
        let hanging = [&["txn", "find-hanging"][..], topic].concat();
        let shown = broker.run(&hanging).well();
        let heading = "TOPIC   PARTITION  START OFFSET  PRODUCER  EPOCH  LAST WRITTEN\n";
        assert!(shown.starts_with(&format!("{heading}orders  0          2 ")), "{shown}");
        assert_eq!(shown.lines().count(), 2, "{shown}");
        let found = json(&broker.run(&[&hanging[..], &["--output", "json"]].concat()).well());
        let [found] = &found.as_array().unwrap()[..] else { panic!("one hangs: {found}") };
        let expected = serde_json::json!({
            "topic": "orders", "partition": 0, "start_offset": 2, "producer_id": producer, "producer_epoch": 0,
            "coordinator_epoch": 5, "last_timestamp_ms": 1_700_000_000_000_i64,
        });
        assert_eq!(*found, expected);
    }
    let abort = ["txn", "abort", "orders", "--partition", "0", "--start-offset", "2"];
    let said = broker.run(&abort).well();
    assert_eq!(said, format!("aborted the transaction of producer {producer} in orders-0\n"));
    assert_eq!(broker.run(&["txn", "find-hanging"]).well(), "no transaction hangs\n");
    assert_eq!(broker.run(&abort).failed(1).lines().count(), 2);
    assert_eq!(
        broker.run(&read).well(),
        "0 held\n2 held\n",
        "markers are no records, and the last one is the end"
    );
}

#[test]
fn what_is_asked_wrongly_of_transactions_says_what_to_do() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    let unknown = broker.run(&["txn", "describe", "nobody"]).failed(1);
    let expected =
        "mainstem: there is no transactional id nobody\n  `mainstem txn list` shows what there is\n";
    assert_eq!(unknown, expected);
    for (args, right) in [
        (&["txn", "list", "--state", "ongoin"][..], "Ongoing"),
        (&["txn", "list", "--open-fo", "5m"], "--open-for"),
        (&["txn", "abort", "orders", "--partition", "0"], "--start-offset"),
        (&["txn", "descibe", "billing-1"], "describe"),
    ] {
        let said = run(args).failed(2);
        assert!(said.contains(right), "{args:?}: {said}");
    }
}

/// What is read of the topic of [`open`], up to its end.
fn read(broker: &Broker, more: &[&str]) -> String {
    let args = ["consume", "orders", "--exit", "--format", "%o %s\\n"];
    broker.run(&[&args[..], more].concat()).well()
}

#[test]
fn readers_of_what_is_committed_see_no_open_or_aborted_transaction() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    let producer = open(&broker).0;
    let behind = ["produce", "orders", "--partition", "0"];
    broker.run_with(&behind, b"behind\n").well();
    let committed = ["--isolation", "read_committed"];
    assert_eq!(read(&broker, &[]), "0 held\n1 behind\n", "as Kafka's console consumer, by default");
    assert_eq!(read(&broker, &committed), "", "the transaction is open, and what is behind it waits");
    let abort = ["txn", "abort", "orders", "--partition", "0", "--start-offset", "0", "-y"];
    let said = broker.run(&abort).well();
    assert_eq!(said, format!("aborted the transaction of producer {producer} in orders-0\n"));
    assert_eq!(read(&broker, &committed), "1 behind\n");
    let measured = |isolation: &[&str]| {
        let bench = ["bench", "consume", "orders", "--output", "json"];
        json(&broker.run(&[&bench[..], isolation].concat()).well())["records"].clone()
    };
    assert_eq!((measured(&[]), measured(&committed)), (2.into(), 1.into()));
    assert_eq!(read(&broker, &["--isolation-level", "read_committed"]), "1 behind\n");
    assert_eq!(read(&broker, &["--isolation", "read_uncommitted"]), "0 held\n1 behind\n");
    let refused = run(&["consume", "orders", "--isolation", "serializable"]).failed(2);
    assert!(refused.contains("[possible values: read_uncommitted, read_committed]"), "{refused}");
}

#[test]
fn a_group_behind_the_marker_of_a_transaction_has_no_lag() {
    let folder = Folder::new();
    let broker = Broker::start(&folder.path("data"), &[]);
    open(&broker);
    broker.run(&["txn", "abort", "orders", "--partition", "0", "--start-offset", "0", "-y"]).well();
    for (group, isolation, printed) in
        [("all", "read_uncommitted", "0 held\n"), ("committed", "read_committed", "")]
    {
        assert_eq!(read(&broker, &["--group", group, "--isolation", isolation]), printed);
        let described = json(&broker.run(&["group", "describe", group, "--output", "json"]).well());
        let first = &described["partitions"][0];
        assert_eq!((&first["committed"], &first["end"]), (&2.into(), &2.into()), "{group}: {described}");
    }
}
