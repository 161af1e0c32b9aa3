package main

import (
	"fmt"
	"time"

	"github.com/IBM/sarama"

	. "mainstem/interop/interop"
)

func transactional(topic string, timeout time.Duration) sarama.SyncProducer {
	config := config("sarama-transactional")
	config.Producer.Idempotent = true
	config.Producer.Transaction.ID = topic
	config.Producer.Transaction.Timeout = timeout
	config.Net.MaxOpenRequests = 1
	return Must(sarama.NewSyncProducer([]string{run.Bootstrap}, config))
}

func openTransaction(producer sarama.SyncProducer, topic string, values ...string) {
	Check(producer.BeginTxn())
	for _, value := range values {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: text(value)})
		Check(err)
	}
}

func checkCommitted(topic string, expected ...string) {
	config := config("sarama-committed")
	config.Consumer.IsolationLevel = sarama.ReadCommitted
	SameLines(expected, values(consumeWith(config, topic, len(expected))), "committed values")
}

func refused(what string, err error) {
	if err == nil {
		panic(fmt.Sprint(what, " was not refused"))
	}
}

func transactionCommitted() {
	topic := create("txn-committed", 1, nil)
	producer := transactional(topic, time.Minute)
	defer producer.Close()
	openTransaction(producer, topic, "one", "two")
	Check(producer.CommitTxn())
	openTransaction(producer, topic, "three")
	Check(producer.CommitTxn())
	checkCommitted(topic, "one", "two", "three")
}

func transactionAborted() {
	topic := create("txn-aborted", 1, nil)
	producer := transactional(topic, time.Minute)
	defer producer.Close()
	openTransaction(producer, topic, "dropped")
	Check(producer.AbortTxn())
	openTransaction(producer, topic, "kept")
	Check(producer.CommitTxn())
	checkCommitted(topic, "kept")
}

func transactionFenced() {
	topic := create("txn-fenced", 1, nil)
	zombie := transactional(topic, time.Minute)
	defer zombie.Close()
	openTransaction(zombie, topic, "lost")
	producer := transactional(topic, time.Minute)
	defer producer.Close()
	refused("commit of a producer that was replaced", zombie.CommitTxn())
	openTransaction(producer, topic, "kept")
	Check(producer.CommitTxn())
	checkCommitted(topic, "kept")
}

func transactionTimedOut() {
	topic := create("txn-late", 1, nil)
	late := transactional(topic, time.Second)
	defer late.Close()
	openTransaction(late, topic, "late")
	send(topic, []string{"after"}, 1, config("sarama-after"))
	checkCommitted(topic, "after")
	refused("commit of a transaction that was aborted", late.CommitTxn())
}

func transactionWithOffsets() {
	topic := create("txn-offsets", 1, nil)
	producer := transactional(topic, time.Minute)
	defer producer.Close()
	commitOffset(producer, topic, 2)
	Check(producer.CommitTxn())
	commitOffset(producer, topic, 3)
	Check(producer.AbortTxn())
	found := Must(admin.ListConsumerGroupOffsets(topic, map[string][]int32{topic: {0}}))
	Same(int64(2), found.GetBlock(topic, 0).Offset, "committed offset")
}

func commitOffset(producer sarama.SyncProducer, topic string, offset int64) {
	Check(producer.BeginTxn())
	offsets := []*sarama.PartitionOffsetMetadata{{Partition: 0, Offset: offset}}
	Check(producer.AddOffsetsToTxn(map[string][]*sarama.PartitionOffsetMetadata{topic: offsets}, topic))
}
