// franz-go, with kadm for an operator's questions.
package main

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	. "mainstem/interop/interop"
)

var (
	run   = NewRun("franz-go")
	admin = kadm.NewClient(client(kgo.ClientID("franz-admin")))
)

func client(options ...kgo.Opt) *kgo.Client {
	return Must(kgo.NewClient(append(options, kgo.SeedBrokers(run.Bootstrap))...))
}

func deadline() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	context.AfterFunc(ctx, cancel)
	return ctx
}

func create(name string, partitions int32, settings map[string]*string) string {
	topic := run.Topic(name)
	Must(admin.CreateTopic(deadline(), partitions, 1, settings, topic))
	return topic
}

// send produces the lines in turn over the partitions and returns the offsets.
func send(topic string, lines []string, partitions int, options ...kgo.Opt) []int64 {
	producer := client(append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	defer producer.Close()
	records := make([]*kgo.Record, len(lines))
	for at, line := range lines {
		records[at] = &kgo.Record{Topic: topic, Partition: int32(at % partitions), Value: []byte(line)}
	}
	produce(producer, records...)
	offsets := make([]int64, len(records))
	for at, record := range records {
		offsets[at] = record.Offset
	}
	return offsets
}

// produce sends the records and waits until all are acknowledged.
func produce(producer *kgo.Client, records ...*kgo.Record) {
	Check(producer.ProduceSync(deadline(), records...).FirstErr())
}

// consume reads this many records of partition 0.
func consume(topic string, count int, from kgo.Offset) []*kgo.Record {
	consumer := client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: from}}))
	defer consumer.Close()
	return take(consumer, count)
}

func take(consumer *kgo.Client, count int) []*kgo.Record {
	ctx := deadline()
	var records []*kgo.Record
	for len(records) < count {
		fetches := consumer.PollRecords(ctx, count-len(records))
		Check(fetches.Err())
		records = append(records, fetches.Records()...)
	}
	return records
}

func values(records []*kgo.Record) []string {
	lines := make([]string, len(records))
	for at, record := range records {
		lines[at] = string(record.Value)
	}
	return lines
}

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func allLines(codec string) {
	topic, id := create(codec, 1, nil), "franz-"+codec
	send(topic, run.Lines, 1, kgo.ClientID(id), kgo.ProducerBatchCompression(codecs[codec]))
	SameLines(run.Lines, values(consume(topic, len(run.Lines), kgo.NewOffset().AtStart())), "lines")
	run.CheckCodec(id, codec)
}

// idempotent is this client's default; its offsets show that nothing came twice.
func idempotent() {
	offsets := send(create("idempotent", 1, nil), run.Lines, 1, kgo.ProducerBatchMaxBytes(4096))
	for at, offset := range offsets {
		Same(int64(at), offset, "offset")
	}
}

func headersAndNulls() {
	topic := create("headers", 1, nil)
	headers := []kgo.RecordHeader{
		{Key: "a", Value: []byte("1")}, {Key: "a"}, {Key: "b", Value: []byte{}}, {Key: "a", Value: []byte{255, 0}},
	}
	pairs := [][2][]byte{{[]byte("key"), []byte("value")}, {nil, []byte("no key")}, {[]byte("no value"), nil}, {{}, {}}}
	producer := client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer producer.Close()
	for _, pair := range pairs {
		produce(producer, &kgo.Record{Topic: topic, Key: pair[0], Value: pair[1], Headers: headers})
	}
	for at, record := range consume(topic, len(pairs), kgo.NewOffset().At(0)) {
		Same(pairs[at], [2][]byte{record.Key, record.Value}, "key and value")
		Same(headers, record.Headers, "headers")
	}
}

// member consumes in a group and commits what it has when a partition leaves it.
func member(topic string) *Member {
	member, done := &Member{}, make(chan struct{})
	changed := func(owns bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			member.Owns(partitions[topic], owns)
		}
	}
	revoked := func(ctx context.Context, consumer *kgo.Client, partitions map[string][]int32) {
		Check(consumer.CommitUncommittedOffsets(ctx))
		changed(false)(ctx, consumer, partitions)
	}
	consumer := client(kgo.ConsumerGroup(topic), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.HeartbeatInterval(500*time.Millisecond), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(changed(true)), kgo.OnPartitionsRevoked(revoked), kgo.OnPartitionsLost(changed(false)))
	leaving, leave := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		for leaving.Err() == nil {
			consumer.PollFetches(leaving).EachRecord(func(record *kgo.Record) {
				member.Take(record.Partition, record.Offset, string(record.Value))
			})
			consumer.AllowRebalance()
		}
	}()
	member.Leave = func() {
		leave()
		<-done
		consumer.Close()
	}
	return member
}

func group() {
	topic := create("group", GroupPartitions, nil)
	run.GroupOfTwo(func() *Member { return member(topic) }, func(lines []string) { send(topic, lines, GroupPartitions) })
}

func restartFromCommitted() {
	topic := create("commit", 1, nil)
	send(topic, run.Lines[:100], 1)
	first := subscribed(topic)
	records := take(first, 30)
	Check(first.CommitRecords(deadline(), records...))
	first.Close()
	second := subscribed(topic)
	defer second.Close()
	SameLines(run.Lines[30:100], values(take(second, 70)), "lines after the restart")
	committed := Must(admin.FetchOffsets(deadline(), topic))
	Same(int64(30), committed[topic][0].At, "committed")
}

func subscribed(topic string) *kgo.Client {
	return client(kgo.ConsumerGroup(topic), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
}

func topics() {
	hour := "3600000"
	topic := create("admin", 3, map[string]*string{"retention.ms": &hour})
	Same(3, len(Must(admin.ListTopics(deadline(), topic))[topic].Partitions), "partitions")
	settings := Must(Must(admin.DescribeTopicConfigs(deadline(), topic)).On(topic, nil))
	for _, setting := range settings.Configs {
		if setting.Key == "retention.ms" {
			Same(hour, setting.MaybeValue(), setting.Key)
		}
	}
	Check(Must(admin.DeleteTopics(deadline(), topic)).Error())
	Until("the topic is gone", func() bool { return !Must(admin.ListTopics(deadline())).Has(topic) })
}

func offsetsByTime() {
	forever := "-1" // the records are old: retention must not take them away
	topic := create("offsets", 1, map[string]*string{"retention.ms": &forever})
	producer := client()
	defer producer.Close()
	for _, stamp := range []int64{1000, 2000, 3000} {
		produce(producer, &kgo.Record{Topic: topic, Value: []byte("value"), Timestamp: time.UnixMilli(stamp)})
	}
	Same(int64(0), Must(admin.ListStartOffsets(deadline(), topic))[topic][0].Offset, "start")
	Same(int64(3), Must(admin.ListEndOffsets(deadline(), topic))[topic][0].Offset, "end")
	Same(int64(1), Must(admin.ListOffsetsAfterMilli(deadline(), 1500, topic))[topic][0].Offset, "first at or after 1500")
	Same(int64(2), Must(admin.ListMaxTimestampOffsets(deadline(), topic))[topic][0].Offset, "offset of the highest timestamp")
}

func groupsDescribed() {
	topic := create("listed", 1, nil)
	send(topic, run.Lines[:10], 1)
	consumer := subscribed(topic)
	Check(consumer.CommitRecords(deadline(), take(consumer, 10)...))
	Same("Stable", Must(admin.ListGroups(deadline()))[topic].State, "state in the list")
	Same("consumer", Must(admin.ListGroups(deadline(), "Stable"))[topic].ProtocolType, "protocol type")
	described := Must(admin.DescribeGroups(deadline(), topic))[topic]
	Same(1, len(described.Members), "members")
	Same([]string{topic}, described.AssignedPartitions().Topics(), "assigned topics")
	lag := Must(admin.Lag(deadline(), topic))[topic]
	Check(lag.Error())
	Same(int64(0), lag.Lag.Total(), "lag")
	consumer.Close()
	Until("the group is empty", func() bool { return Must(admin.DescribeGroups(deadline(), topic))[topic].State == "Empty" })
}

func logDirs() {
	topic := create("sizes", 2, nil)
	send(topic, run.Lines, 2, kgo.ProducerBatchCompression(kgo.NoCompression()))
	bytes := int64(0)
	for _, dirs := range Must(admin.DescribeAllLogDirs(deadline(), kadm.TopicsSet{topic: {0: {}, 1: {}}})) {
		Check(dirs.Error())
		dirs.EachPartition(func(found kadm.DescribedLogDirPartition) {
			Same(topic, found.Topic, "topic")
			bytes += found.Size
		})
	}
	run.CheckSize(bytes)
}

func main() {
	for _, codec := range Codecs {
		run.Case("10,000 lines, "+codec, func() { allLines(codec) })
	}
	run.Case("group of two, one leaves", group)
	run.Case("idempotent", idempotent)
	run.Case("topics created, described, deleted", topics)
	run.Case("groups listed and described", groupsDescribed)
	run.Case("log directories described", logDirs)
	run.Case("offsets by time", offsetsByTime)
	run.Case("headers with duplicate keys, null keys and values", headersAndNulls)
	run.Case("restart from committed", restartFromCommitted)
	run.Done()
}
