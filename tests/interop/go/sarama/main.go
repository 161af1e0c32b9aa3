// sarama, set to the newest protocol that it knows.
package main

import (
	"context"
	"slices"
	"time"

	"github.com/IBM/sarama"

	. "mainstem/interop/interop"
)

var (
	run   = NewRun("sarama")
	admin = Must(sarama.NewClusterAdmin([]string{run.Bootstrap}, config("sarama-admin")))
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
	consumer := Must(sarama.NewConsumer([]string{run.Bootstrap}, config("sarama-reader")))
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
	headers := []sarama.RecordHeader{header("a", "1"), header("a", "2"), header("b", ""), header("a", "\xff\x00")}
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
type session struct {
	topic  string
	member *Member
}

func (s session) Setup(session sarama.ConsumerGroupSession) error {
	s.member.Owns(session.Claims()[s.topic], true)
	return nil
}

func (s session) Cleanup(session sarama.ConsumerGroupSession) error {
	s.member.Owns(session.Claims()[s.topic], false)
	return nil
}

func (s session) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		s.member.Take(message.Partition, message.Offset, string(message.Value))
		session.MarkMessage(message, "")
	}
	return nil
}

func member(topic string) *Member {
	member, done := &Member{}, make(chan struct{})
	group := Must(sarama.NewConsumerGroup([]string{run.Bootstrap}, topic, config("sarama-member")))
	leaving, leave := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		for leaving.Err() == nil {
			Check(group.Consume(leaving, []string{topic}, session{topic, member}))
		}
	}()
	member.Leave = func() {
		leave()
		<-done
		Check(group.Close())
	}
	return member
}

func group() {
	topic := create("group", GroupPartitions, nil)
	run.GroupOfTwo(func() *Member { return member(topic) }, func(lines []string) {
		send(topic, lines, GroupPartitions, config("sarama-group"))
	})
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

func groupsDescribed() {
	topic := create("listed", 1, nil)
	send(topic, run.Lines[:10], 1, config("sarama-listed"))
	member := member(topic)
	Until("the member has consumed", func() bool { return member.Count() == 10 })
	Same("Stable", describe(topic).State, "state")
	Same("consumer", Must(admin.ListConsumerGroups())[topic], "protocol type")
	for _, found := range describe(topic).Members {
		Same("sarama-member", found.ClientId, "client id")
		assignment := Must(found.GetMemberAssignment())
		Same(map[string][]int32{topic: {0}}, assignment.Topics, "assignment")
	}
	member.Leave()
	Until("the group is empty", func() bool { return describe(topic).State == "Empty" })
	committed := Must(admin.ListConsumerGroupOffsets(topic, map[string][]int32{topic: {0}}))
	Same(int64(10), committed.GetBlock(topic, 0).Offset, "committed")
}

func describe(group string) *sarama.GroupDescription {
	return Must(admin.DescribeConsumerGroups([]string{group}))[0]
}

func logDirs() {
	topic := create("sizes", 2, nil)
	send(topic, run.Lines, 2, config("sarama-sizes"))
	brokers, _, err := admin.DescribeCluster()
	Check(err)
	bytes := int64(0)
	for _, dirs := range Must(admin.DescribeLogDirs([]int32{brokers[0].ID()})) {
		for _, dir := range dirs {
			at := slices.IndexFunc(dir.Topics, func(found sarama.DescribeLogDirsResponseTopic) bool { return found.Topic == topic })
			for _, partition := range dir.Topics[at].Partitions {
				bytes += partition.Size
			}
		}
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
	run.Case("headers with duplicate keys, null keys and values", headersAndNulls)
	run.Done()
}
