package main

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	. "mainstem/interop/interop"
)

func transactional(topic string, options ...kgo.Opt) *kgo.Client {
	producer := client(append(options, kgo.TransactionalID(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	// This client takes its id with the first transaction, which is too late to replace another producer.
	_, _, err := producer.ProducerID(deadline())
	Check(err)
	return producer
}

func openTransaction(producer *kgo.Client, topic string, values ...string) {
	Check(producer.BeginTransaction())
	for _, value := range values {
		produce(producer, &kgo.Record{Topic: topic, Value: []byte(value)})
	}
}

func commit(producer *kgo.Client) error {
	return producer.EndTransaction(deadline(), kgo.TryCommit)
}

func checkCommitted(topic string, expected ...string) {
	start := map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}
	consumer := client(kgo.ConsumePartitions(start), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	defer consumer.Close()
	SameLines(expected, values(take(consumer, len(expected))), "committed values")
}

func refused(what string, err error) {
	if err == nil {
		panic(fmt.Sprint(what, " was not refused"))
	}
}

func transactionCommitted() {
	topic := create("txn-committed", 1, nil)
	producer := transactional(topic)
	defer producer.Close()
	openTransaction(producer, topic, "one", "two")
	Check(commit(producer))
	openTransaction(producer, topic, "three")
	Check(commit(producer))
	checkCommitted(topic, "one", "two", "three")
}

func transactionAborted() {
	topic := create("txn-aborted", 1, nil)
	producer := transactional(topic)
	defer producer.Close()
	openTransaction(producer, topic, "dropped")
	Check(producer.EndTransaction(deadline(), kgo.TryAbort))
	openTransaction(producer, topic, "kept")
	Check(commit(producer))
	checkCommitted(topic, "kept")
}

func transactionFenced() {
	topic := create("txn-fenced", 1, nil)
	zombie := transactional(topic)
	defer zombie.Close()
	openTransaction(zombie, topic, "lost")
	producer := transactional(topic)
	defer producer.Close()
	refused("commit of a producer that was replaced", commit(zombie))
	openTransaction(producer, topic, "kept")
	Check(commit(producer))
	checkCommitted(topic, "kept")
}

func transactionTimedOut() {
	topic := create("txn-late", 1, nil)
	late := transactional(topic, kgo.TransactionTimeout(time.Second))
	defer late.Close()
	openTransaction(late, topic, "late")
	send(topic, []string{"after"}, 1)
	checkCommitted(topic, "after")
	refused("commit of a transaction that was aborted", commit(late))
}

// transactionWithOffsets commits what was polled, which is this client's way.
func transactionWithOffsets() {
	topic := create("txn-offsets", 1, nil)
	send(topic, []string{"one", "two", "three"}, 1)
	session := Must(kgo.NewGroupTransactSession(kgo.SeedBrokers(run.Bootstrap), kgo.TransactionalID(topic),
		kgo.ConsumerGroup(topic), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())))
	defer session.Close()
	pollAndEnd(session, 2, kgo.TryCommit)
	pollAndEnd(session, 1, kgo.TryAbort)
	found, there := Must(admin.FetchOffsets(deadline(), topic)).Lookup(topic, 0)
	Same(true, there, "an offset is committed")
	Same(int64(2), found.At, "committed offset")
}

func pollAndEnd(session *kgo.GroupTransactSession, count int, end kgo.TransactionEndTry) {
	Check(session.Begin())
	for ctx := deadline(); count > 0; {
		fetches := session.PollRecords(ctx, count)
		Check(fetches.Err())
		count -= fetches.NumRecords()
	}
	committed := Must(session.End(deadline(), end))
	Same(end == kgo.TryCommit, committed, "committed")
}
