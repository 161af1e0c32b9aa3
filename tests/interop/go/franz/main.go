// franz-go, with kadm for an operator's questions.
package main

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

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
func member() {
	voice, leaving, options := Voice{}, Leaving(), run.Member
	changed := func(owns bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			for _, numbers := range partitions {
				voice.Owns(numbers, owns)
			}
		}
	}
	revoked := func(ctx context.Context, consumer *kgo.Client, partitions map[string][]int32) {
		Check(consumer.CommitUncommittedOffsets(ctx))
		changed(false)(ctx, consumer, partitions)
	}
	settings := []kgo.Opt{kgo.ConsumerGroup(options.Group), kgo.ConsumeTopics(options.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(changed(true)), kgo.OnPartitionsRevoked(revoked), kgo.OnPartitionsLost(changed(false))}
	consumer := client(append(settings, kindOf()...)...)
	for leaving.Err() == nil {
		consumer.PollFetches(leaving).EachRecord(func(record *kgo.Record) {
			voice.Row(record.Partition, record.Offset, record.Value)
		})
		consumer.AllowRebalance()
	}
	consumer.CloseAllowingRebalance()
}

// kindOf is how the member takes part in its group.
func kindOf() []kgo.Opt {
	options := run.Member
	settings := []kgo.Opt{kgo.SessionTimeout(options.Session), kgo.HeartbeatInterval(500 * time.Millisecond)}
	if options.Instance != "" {
		settings = append(settings, kgo.InstanceID(options.Instance))
	}
	if options.Regex {
		settings = append(settings, kgo.ConsumeRegex())
	}
	switch options.Kind {
	case "cooperative":
		return append(settings, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	case "consumer":
		return append(settings, kgo.Balancers(kgo.RangeBalancer()), kgo.ServerSideBalancer())
	default:
		return append(settings, kgo.Balancers(kgo.RangeBalancer()))
	}
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
	Same(3, partitionsOf(topic), "partitions")
	Same(hour, ownSettings(topic)["retention.ms"], "retention.ms")
	Check(Must(admin.DeleteTopics(deadline(), topic)).Error())
	Until("the topic is gone", func() bool { return !Must(admin.ListTopics(deadline())).Has(topic) })
}

func partitionsOf(topic string) int {
	return len(Must(admin.ListTopics(deadline(), topic))[topic].Partitions)
}

// ownSettings are those that the topic itself has; of those of its durability a topic of ours always has its own.
func ownSettings(topic string) map[string]string {
	own := map[string]string{}
	for _, setting := range Must(Must(admin.DescribeTopicConfigs(deadline(), topic)).On(topic, nil)).Configs {
		if setting.Source == kmsg.ConfigSourceDynamicTopicConfig && !strings.HasPrefix(setting.Key, "flush.") {
			own[setting.Key] = setting.MaybeValue()
		}
	}
	return own
}

func partitionsAdded() {
	topic := create("partitions", 1, nil)
	Check(Must(admin.UpdatePartitions(deadline(), 3, topic)).Error())
	Until("three partitions", func() bool { return partitionsOf(topic) == 3 })
	producer := client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer producer.Close()
	produce(producer, &kgo.Record{Topic: topic, Partition: 2, Value: []byte("value")})
}

func settings() {
	hour, hours, segment := "3600000", "7200000", "1048576"
	topic := create("settings", 1, map[string]*string{"retention.ms": &hour})
	Must(Must(admin.AlterTopicConfigs(deadline(), []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: "retention.ms", Value: &hours}, {Op: kadm.SetConfig, Name: "segment.bytes", Value: &segment},
	}, topic)).On(topic, nil))
	Until("both are set", func() bool {
		return reflect.DeepEqual(map[string]string{"retention.ms": hours, "segment.bytes": segment}, ownSettings(topic))
	})
	Must(Must(admin.AlterTopicConfigs(deadline(), []kadm.AlterConfig{{Op: kadm.DeleteConfig, Name: "retention.ms"}}, topic)).On(topic, nil))
	Until("one is set", func() bool {
		return reflect.DeepEqual(map[string]string{"segment.bytes": segment}, ownSettings(topic))
	})
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

// setByTime moves a group to the first record at or after a time.
func setByTime() {
	forever := "-1" // the records are old: retention must not take them away
	topic := create("by-time", 1, map[string]*string{"retention.ms": &forever})
	producer := client()
	defer producer.Close()
	for _, stamp := range []int64{1000, 2000, 3000} {
		produce(producer, &kgo.Record{Topic: topic, Value: []byte(fmt.Sprint(stamp)), Timestamp: time.UnixMilli(stamp)})
	}
	found := Must(admin.ListOffsetsAfterMilli(deadline(), 1500, topic))
	Check(admin.CommitAllOffsets(deadline(), topic, found.Offsets()))
	consumer := subscribed(topic)
	defer consumer.Close()
	SameLines([]string{"2000", "3000"}, values(take(consumer, 2)), "records from the time on")
}

func mebibyte() {
	limit, value := "2097152", Mebibyte()
	topic := create("mebibyte", 1, map[string]*string{"max.message.bytes": &limit})
	producer := client(kgo.ProducerBatchMaxBytes(2*MiB), kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer producer.Close()
	produce(producer, &kgo.Record{Topic: topic, Value: value})
	Same(true, bytes.Equal(value, consume(topic, 1, kgo.NewOffset().AtStart())[0].Value), "the same 1 MiB")
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
	Must(Must(admin.DeleteGroups(deadline(), topic)).On(topic, nil))
	_, there := Must(admin.ListGroups(deadline()))[topic]
	Same(false, there, "the group in the list")
}

func offsetsDeleted() {
	topic := create("forgotten", 1, nil)
	Check(admin.CommitAllOffsets(deadline(), topic, kadm.OffsetsFromRecords(kgo.Record{Topic: topic, Offset: 6})))
	Same(int64(7), Must(admin.FetchOffsets(deadline(), topic))[topic][0].At, "committed")
	Must(admin.DeleteOffsets(deadline(), topic, kadm.TopicsSet{topic: {0: {}}}))
	_, there := Must(admin.FetchOffsets(deadline(), topic)).Lookup(topic, 0)
	Same(false, there, "the offset in the answer")
}

func logDirs() {
	topic := create("sizes", 2, nil)
	send(topic, run.Lines, 2, kgo.ProducerBatchCompression(kgo.NoCompression()))
	total := int64(0)
	for _, dirs := range Must(admin.DescribeAllLogDirs(deadline(), kadm.TopicsSet{topic: {0: {}, 1: {}}})) {
		Check(dirs.Error())
		dirs.EachPartition(func(found kadm.DescribedLogDirPartition) {
			Same(topic, found.Topic, "topic")
			total += found.Size
		})
	}
	run.CheckSize(total)
}

func cases() {
	for _, codec := range Codecs {
		run.Case("10,000 lines, "+codec, func() { allLines(codec) })
	}
	run.Case("idempotent", idempotent)
	run.Case("transaction committed", transactionCommitted)
	run.Case("transaction aborted", transactionAborted)
	run.Case("transaction fenced", transactionFenced)
	run.Case("transaction timed out", transactionTimedOut)
	run.Case("transaction with offsets", transactionWithOffsets)
	run.Case("topics created, described, deleted", topics)
	run.Case("partitions added", partitionsAdded)
	run.Case("settings altered", settings)
	run.Case("groups listed, described, deleted", groupsDescribed)
	run.Case("offsets deleted", offsetsDeleted)
	run.Case("offsets set by time", setByTime)
	run.Case("log directories described", logDirs)
	run.Case("offsets by time", offsetsByTime)
	run.Case("headers with duplicate keys, null keys and values", headersAndNulls)
	run.Case("restart from committed", restartFromCommitted)
	run.Case("a record of 1 MiB", mebibyte)
}

func main() { run.Main(member, cases) }
