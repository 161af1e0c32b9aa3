// sarama, set to the newest protocol that it knows.
package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"

	. "mainstem/interop/interop"
)

var (
	run   = NewRun("sarama")
	admin sarama.ClusterAdmin
)

func config(id string) *sarama.Config {
	config := sarama.NewConfig()
	config.ClientID = id
	config.Version = sarama.MaxVersion
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	return config
}

func create(name string, partitions int32, settings map[string]*string) string {
	topic := run.Topic(name)
	detail := sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: settings}
	Check(admin.CreateTopic(topic, &detail, false))
	return topic
}

// send produces the lines in turn over the partitions and returns the offsets.
func send(topic string, lines []string, partitions int, config *sarama.Config) []int64 {
	messages := make([]*sarama.ProducerMessage, len(lines))
	for at, line := range lines {
		messages[at] = &sarama.ProducerMessage{Topic: topic, Partition: int32(at % partitions), Value: sarama.StringEncoder(line)}
	}
	produce(messages, config)
	offsets := make([]int64, len(messages))
	for at, message := range messages {
		offsets[at] = message.Offset
	}
	return offsets
}

func produce(messages []*sarama.ProducerMessage, config *sarama.Config) {
	producer := Must(sarama.NewSyncProducer([]string{run.Bootstrap}, config))
	Check(producer.SendMessages(messages))
	Check(producer.Close())
}

// consume reads this many records of partition 0.
func consume(topic string, count int) []*sarama.ConsumerMessage {
	return consumeWith(config("sarama-reader"), topic, count)
}

func consumeWith(config *sarama.Config, topic string, count int) []*sarama.ConsumerMessage {
	consumer := Must(sarama.NewConsumer([]string{run.Bootstrap}, config))
	defer consumer.Close()
	partition := Must(consumer.ConsumePartition(topic, 0, sarama.OffsetOldest))
	defer partition.Close()
	late := time.After(Deadline)
	var messages []*sarama.ConsumerMessage
	for len(messages) < count {
		select {
		case message := <-partition.Messages():
			messages = append(messages, message)
		case <-late:
			panic("the records did not come")
		}
	}
	return messages
}

func values(messages []*sarama.ConsumerMessage) []string {
	lines := make([]string, len(messages))
	for at, message := range messages {
		lines[at] = string(message.Value)
	}
	return lines
}

func allLines(codec string) {
	topic, config := create(codec, 1, nil), config("sarama-"+codec)
	Check(config.Producer.Compression.UnmarshalText([]byte(codec)))
	send(topic, run.Lines, 1, config)
	SameLines(run.Lines, values(consume(topic, len(run.Lines))), "lines")
	run.CheckCodec(config.ClientID, codec)
}

func idempotent() {
	config := config("sarama-idempotent")
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	for at, offset := range send(create("idempotent", 1, nil), run.Lines, 1, config) {
		Same(int64(at), offset, "offset")
	}
}

func headersAndNulls() {
	topic := create("headers", 1, nil)
	headers := []sarama.RecordHeader{header("a", "1"), {Key: []byte("a")}, header("b", ""), header("a", "\xff\x00")}
	pairs := [][2]sarama.Encoder{{text("key"), text("value")}, {nil, text("no key")}, {text("no value"), nil}, {text(""), text("")}}
	var messages []*sarama.ProducerMessage
	for _, pair := range pairs {
		messages = append(messages, &sarama.ProducerMessage{Topic: topic, Key: pair[0], Value: pair[1], Headers: headers})
	}
	produce(messages, config("sarama-headers"))
	for at, message := range consume(topic, len(pairs)) {
		Same([2][]byte{bytesOf(pairs[at][0]), bytesOf(pairs[at][1])}, [2][]byte{message.Key, message.Value}, "key and value")
		for number, header := range message.Headers {
			Same(headers[number], *header, "header")
		}
		Same(len(headers), len(message.Headers), "headers")
	}
}

func header(key, value string) sarama.RecordHeader {
	return sarama.RecordHeader{Key: []byte(key), Value: []byte(value)}
}

func text(value string) sarama.Encoder { return sarama.StringEncoder(value) }

func bytesOf(value sarama.Encoder) []byte {
	if value == nil {
		return nil
	}
	return Must(value.Encode())
}

// session is what sarama calls for one member of a group.
type session struct{ voice *Voice }

func (s session) Setup(session sarama.ConsumerGroupSession) error {
	s.voice.Owns(session.Claims()[run.Member.Topic], true)
	return nil
}

func (s session) Cleanup(session sarama.ConsumerGroupSession) error {
	s.voice.Owns(session.Claims()[run.Member.Topic], false)
	return nil
}

func (s session) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		s.voice.Row(message.Partition, message.Offset, message.Value)
		session.MarkMessage(message, "")
	}
	return nil
}

func member() {
	config, leaving := config("sarama-member"), Leaving()
	config.Consumer.Group.Session.Timeout = run.Member.Session
	config.Consumer.Group.InstanceId = run.Member.Instance
	group := Must(sarama.NewConsumerGroup([]string{run.Bootstrap}, run.Member.Group, config))
	for leaving.Err() == nil {
		Check(group.Consume(leaving, []string{run.Member.Topic}, session{&Voice{}}))
	}
	Check(group.Close())
}

func topics() {
	hour := "3600000"
	topic := create("admin", 3, map[string]*string{"retention.ms": &hour})
	found := Must(admin.ListTopics())[topic]
	Same(int32(3), found.NumPartitions, "partitions")
	Same(hour, *found.ConfigEntries["retention.ms"], "retention.ms")
	Check(admin.DeleteTopic(topic))
	Until("the topic is gone", func() bool {
		_, there := Must(admin.ListTopics())[topic]
		return !there
	})
}

func partitionsAdded() {
	topic := create("partitions", 1, nil)
	Check(admin.CreatePartitions(topic, 3, nil, false))
	Until("three partitions", func() bool { return Must(admin.ListTopics())[topic].NumPartitions == 3 })
	produce([]*sarama.ProducerMessage{{Topic: topic, Partition: 2, Value: text("value")}}, config("sarama-partitions"))
}

func settings() {
	hour, hours, segment := "3600000", "7200000", "1048576"
	topic := create("settings", 1, map[string]*string{"retention.ms": &hour})
	Check(admin.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
		"segment.bytes": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &segment},
	}, false))
	Until("both are set", func() bool { return ownSettings(topic, "retention.ms", "segment.bytes") == hour+" "+segment+" " })
	Check(admin.AlterConfig(sarama.TopicResource, topic, map[string]*string{"retention.ms": &hours}, false))
	Until("one is set", func() bool { return ownSettings(topic, "retention.ms", "segment.bytes") == hours+" " })
}

// ownSettings are the values that the topic itself has.
func ownSettings(topic string, names ...string) string {
	own := ""
	resource := sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: names}
	found := Must(admin.DescribeConfig(resource))
	slices.SortFunc(found, func(one, other sarama.ConfigEntry) int { return strings.Compare(one.Name, other.Name) })
	for _, entry := range found {
		if entry.Source == sarama.SourceTopic {
			own += entry.Value + " "
		}
	}
	return own
}

// consumed is a group that has consumed ten lines, with what ends it.
func consumed(topic string) func() {
	send(topic, run.Lines[:10], 1, config("sarama-listed"))
	leaving, leave := context.WithCancel(context.Background())
	group, taken, done := Must(sarama.NewConsumerGroup([]string{run.Bootstrap}, topic, config("sarama-member"))), make(chan bool), make(chan error)
	go func() { done <- group.Consume(leaving, []string{topic}, ten{taken}) }()
	<-taken
	return func() {
		leave()
		Check(<-done)
		Check(group.Close())
	}
}

// ten tells once it has taken ten messages.
type ten struct{ taken chan<- bool }

func (ten) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (ten) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (ten ten) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		session.MarkMessage(message, "")
		if message.Offset == 9 {
			ten.taken <- true
		}
	}
	return nil
}

func groupsDescribed() {
	topic := create("listed", 1, nil)
	leave := consumed(topic)
	Same("Stable", describe(topic).State, "state")
	Same("consumer", Must(admin.ListConsumerGroups())[topic], "protocol type")
	for _, found := range describe(topic).Members {
		Same("sarama-member", found.ClientId, "client id")
		assignment := Must(found.GetMemberAssignment())
		Same(map[string][]int32{topic: {0}}, assignment.Topics, "assignment")
	}
	leave()
	Until("the group is empty", func() bool { return describe(topic).State == "Empty" })
	Same(int64(10), committed(topic), "committed")
	Check(admin.DeleteConsumerGroup(topic))
	_, there := Must(admin.ListConsumerGroups())[topic]
	Same(false, there, "the group in the list")
}

func committed(topic string) int64 {
	return Must(admin.ListConsumerGroupOffsets(topic, map[string][]int32{topic: {0}})).GetBlock(topic, 0).Offset
}

func offsetsDeleted() {
	topic := create("forgotten", 1, nil)
	consumed(topic)()
	Same(int64(10), committed(topic), "committed")
	Check(admin.DeleteConsumerGroupOffset(topic, topic, 0))
	Same(int64(-1), committed(topic), "committed")
}

// setByTime moves a group to the first record at or after a time.
func setByTime() {
	forever := "-1" // the records are old: retention must not take them away
	topic := create("by-time", 1, map[string]*string{"retention.ms": &forever})
	var messages []*sarama.ProducerMessage
	for _, stamp := range []int64{1000, 2000, 3000} {
		messages = append(messages, &sarama.ProducerMessage{Topic: topic, Value: text(fmt.Sprint(stamp)), Timestamp: time.UnixMilli(stamp)})
	}
	produce(messages, config("sarama-by-time"))
	client := Must(sarama.NewClient([]string{run.Bootstrap}, config("sarama-by-time")))
	defer client.Close()
	found := Must(client.GetOffset(topic, 0, 1500))
	Must(admin.AlterConsumerGroupOffsets(topic, map[string]map[int32]sarama.OffsetAndMetadata{topic: {0: {Offset: found, LeaderEpoch: -1}}}, nil))
	group := Must(sarama.NewConsumerGroup([]string{run.Bootstrap}, topic, config("sarama-by-time")))
	leaving, leave := context.WithTimeout(context.Background(), Deadline)
	first := make(first, 1)
	Check(group.Consume(leaving, []string{topic}, &moved{leave: leave, values: first}))
	Check(group.Close())
	Same("2000", <-first, "first record from the time on")
}

type first chan string

// moved notes the first value and leaves.
type moved struct {
	leave  func()
	values first
}

func (*moved) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*moved) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (moved *moved) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		select {
		case moved.values <- string(message.Value):
			moved.leave()
		default:
		}
	}
	return nil
}

func mebibyte() {
	limit, value := "2097152", Mebibyte()
	topic, config := create("mebibyte", 1, map[string]*string{"max.message.bytes": &limit}), config("sarama-mebibyte")
	config.Producer.MaxMessageBytes = 2 * MiB
	produce([]*sarama.ProducerMessage{{Topic: topic, Value: sarama.ByteEncoder(value)}}, config)
	Same(true, bytes.Equal(value, consume(topic, 1)[0].Value), "the same 1 MiB")
}

func describe(group string) *sarama.GroupDescription {
	return Must(admin.DescribeConsumerGroups([]string{group}))[0]
}

func logDirs() {
	topic := create("sizes", 2, nil)
	send(topic, run.Lines, 2, config("sarama-sizes"))
	brokers, _, err := admin.DescribeCluster()
	Check(err)
	total := int64(0)
	for _, dirs := range Must(admin.DescribeLogDirs([]int32{brokers[0].ID()})) {
		for _, dir := range dirs {
			at := slices.IndexFunc(dir.Topics, func(found sarama.DescribeLogDirsResponseTopic) bool { return found.Topic == topic })
			for _, partition := range dir.Topics[at].Partitions {
				total += partition.Size
			}
		}
	}
	run.CheckSize(total)
}

func cases() {
	admin = Must(sarama.NewClusterAdmin([]string{run.Bootstrap}, config("sarama-admin")))
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
	run.Case("headers with duplicate keys, null keys and values", headersAndNulls)
	run.Case("a record of 1 MiB", mebibyte)
}

func main() { run.Main(member, cases) }
