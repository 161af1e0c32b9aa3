// segmentio/kafka-go, with its Client for an operator's questions.
package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	. "mainstem/interop/interop"
)

var (
	run   = NewRun("kafka-go")
	admin = &kafka.Client{Addr: kafka.TCP(run.Bootstrap), Transport: transport("kafka-go-admin")}
)

func transport(id string) *kafka.Transport { return &kafka.Transport{ClientID: id} }

func deadline() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// create waits until the topic has its partitions: this client does not wait for a topic that it was told of.
func create(name string, partitions int, settings ...kafka.ConfigEntry) string {
	topic := run.Topic(name)
	config := kafka.TopicConfig{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: settings}
	answer := Must(admin.CreateTopics(deadline(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{config}}))
	Check(answer.Errors[topic])
	Until("the topic is there", func() bool { return partitionsOf(topic) == partitions })
	return topic
}

// partitionsOf asks over a connection of its own, since the Client answers from what it has heard some time ago, and asks for
// all topics, since one that is asked for by its name may be created.
func partitionsOf(topic string) int {
	connection := Must(kafka.DialContext(deadline(), "tcp", run.Bootstrap))
	defer connection.Close()
	count := 0
	for _, partition := range Must(connection.ReadPartitions()) {
		if partition.Topic == topic {
			count++
		}
	}
	return count
}

func produce(topic, id string, codec kafka.Compression, messages ...kafka.Message) {
	writer := &kafka.Writer{Addr: kafka.TCP(run.Bootstrap), Topic: topic, RequiredAcks: kafka.RequireAll, Compression: codec,
		BatchTimeout: 5 * time.Millisecond, BatchSize: 1000, BatchBytes: 2 * MiB, Transport: transport(id)}
	Check(writer.WriteMessages(deadline(), messages...))
	Check(writer.Close())
}

func plain(lines []string) []kafka.Message {
	messages := make([]kafka.Message, len(lines))
	for at, line := range lines {
		messages[at].Value = []byte(line)
	}
	return messages
}

// stamped are messages whose values tell their times in milliseconds.
func stamped(stamps ...int64) []kafka.Message {
	var messages []kafka.Message
	for _, stamp := range stamps {
		messages = append(messages, kafka.Message{Value: []byte(fmt.Sprint(stamp)), Time: time.UnixMilli(stamp)})
	}
	return messages
}

// consume reads this many messages of partition 0.
func consume(topic string, count int) []kafka.Message {
	return take(kafka.ReaderConfig{Brokers: []string{run.Bootstrap}, Topic: topic, MaxBytes: 8 * MiB}, count)
}

func take(config kafka.ReaderConfig, count int) []kafka.Message {
	config.MaxWait = 100 * time.Millisecond
	reader := kafka.NewReader(config)
	messages := make([]kafka.Message, count)
	for at := range messages {
		messages[at] = Must(reader.ReadMessage(deadline()))
	}
	Check(reader.Close())
	return messages
}

// inGroup is a consumer of the group that has the topic's name. It commits what was read when it is closed.
func inGroup(topic string) kafka.ReaderConfig {
	return kafka.ReaderConfig{Brokers: []string{run.Bootstrap}, GroupID: topic, Topic: topic, StartOffset: kafka.FirstOffset,
		JoinGroupBackoff: 100 * time.Millisecond}
}

func values(messages []kafka.Message) []string {
	lines := make([]string, len(messages))
	for at, message := range messages {
		lines[at] = string(message.Value)
	}
	return lines
}

func allLines(name string) {
	var codec kafka.Compression
	if name != "none" {
		Check(codec.UnmarshalText([]byte(name)))
	}
	topic, id := create(name, 1), "kafka-go-"+name
	produce(topic, id, codec, plain(run.Lines)...)
	SameLines(run.Lines, values(consume(topic, len(run.Lines))), "lines")
	run.CheckCodec(id, name)
}

func headersAndNulls() {
	topic := create("headers", 1)
	headers := []kafka.Header{
		{Key: "a", Value: []byte("1")}, {Key: "a"}, {Key: "b", Value: []byte{}}, {Key: "a", Value: []byte{255, 0}},
	}
	pairs := [][2][]byte{{[]byte("key"), []byte("value")}, {nil, []byte("no key")}, {[]byte("no value"), nil}, {{}, {}}}
	for _, pair := range pairs {
		produce(topic, "kafka-go-headers", 0, kafka.Message{Key: pair[0], Value: pair[1], Headers: headers})
	}
	for at, message := range consume(topic, len(pairs)) {
		// This client takes an empty key or value for null, and reads a null value of a header as an empty one.
		Same(fmt.Sprint(pairs[at]), fmt.Sprint([2][]byte{message.Key, message.Value}), "key and value")
		Same(fmt.Sprint(headers), fmt.Sprint(message.Headers), "headers")
	}
}

func mebibyte() {
	value := Mebibyte()
	topic := create("mebibyte", 1, kafka.ConfigEntry{ConfigName: "max.message.bytes", ConfigValue: "2097152"})
	produce(topic, "kafka-go-mebibyte", 0, kafka.Message{Value: value})
	Same(true, bytes.Equal(value, consume(topic, 1)[0].Value), "the same 1 MiB")
}

func restartFromCommitted() {
	topic := create("commit", 1)
	produce(topic, "kafka-go-commit", 0, plain(run.Lines[:100])...)
	SameLines(run.Lines[:30], values(take(inGroup(topic), 30)), "lines before the restart")
	Same(int64(30), committed(topic), "committed")
	SameLines(run.Lines[30:100], values(take(inGroup(topic), 70)), "lines after the restart")
}

func committed(topic string) int64 {
	request := kafka.OffsetFetchRequest{GroupID: topic, Topics: map[string][]int{topic: {0}}}
	return Must(admin.OffsetFetch(deadline(), &request)).Topics[topic][0].CommittedOffset
}

// setByTime moves a group to the first record at or after a time.
func setByTime() {
	topic := create("by-time", 1, kafka.ConfigEntry{ConfigName: "retention.ms", ConfigValue: "-1"}) // retention must not take old records
	produce(topic, "kafka-go-by-time", 0, stamped(1000, 2000, 3000)...)
	asked := map[string][]kafka.OffsetRequest{topic: {kafka.TimeOffsetOf(0, time.UnixMilli(1500))}}
	found := Must(admin.ListOffsets(deadline(), &kafka.ListOffsetsRequest{Topics: asked})).Topics[topic][0]
	for offset := range found.Offsets {
		moved := map[string][]kafka.OffsetCommit{topic: {{Partition: 0, Offset: offset}}}
		request := kafka.OffsetCommitRequest{GroupID: topic, GenerationID: -1, Topics: moved}
		Check(Must(admin.OffsetCommit(deadline(), &request)).Topics[topic][0].Error)
	}
	SameLines([]string{"2000", "3000"}, values(take(inGroup(topic), 2)), "records from the time on")
}

func topics() {
	topic := create("admin", 3, kafka.ConfigEntry{ConfigName: "retention.ms", ConfigValue: "3600000"})
	Same("3600000", ownSettings(topic)["retention.ms"], "retention.ms")
	Check(Must(admin.DeleteTopics(deadline(), &kafka.DeleteTopicsRequest{Topics: []string{topic}})).Errors[topic])
	Until("the topic is gone", func() bool { return partitionsOf(topic) == 0 })
}

// ownSettings are those that the topic itself has; of those of its durability a topic of ours always has its own.
func ownSettings(topic string) map[string]string {
	resource := kafka.DescribeConfigRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic}
	request := kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{resource}}
	found := Must(admin.DescribeConfigs(deadline(), &request)).Resources[0]
	Check(found.Error)
	const topicConfig = 1
	own := map[string]string{}
	for _, entry := range found.ConfigEntries {
		if entry.ConfigSource == topicConfig && !strings.HasPrefix(entry.ConfigName, "flush.") {
			own[entry.ConfigName] = entry.ConfigValue
		}
	}
	return own
}

func partitionsAdded() {
	topic := create("partitions", 1)
	request := kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: 3}}}
	Check(Must(admin.CreatePartitions(deadline(), &request)).Errors[topic])
	Until("three partitions", func() bool { return partitionsOf(topic) == 3 })
}

func settings() {
	topic := create("settings", 1, kafka.ConfigEntry{ConfigName: "retention.ms", ConfigValue: "3600000"})
	set := []kafka.IncrementalAlterConfigsRequestConfig{{Name: "segment.bytes", Value: "1048576", ConfigOperation: kafka.ConfigOperationSet}}
	resource := kafka.IncrementalAlterConfigsRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, Configs: set}
	request := kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{resource}}
	Check(Must(admin.IncrementalAlterConfigs(deadline(), &request)).Resources[0].Error)
	Until("both are set", func() bool {
		own := ownSettings(topic)
		return own["retention.ms"] == "3600000" && own["segment.bytes"] == "1048576"
	})
	whole := kafka.AlterConfigRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
		Configs: []kafka.AlterConfigRequestConfig{{Name: "retention.ms", Value: "7200000"}}}
	for _, err := range Must(admin.AlterConfigs(deadline(), &kafka.AlterConfigsRequest{Resources: []kafka.AlterConfigRequestResource{whole}})).Errors {
		Check(err)
	}
	Until("one is set", func() bool { own := ownSettings(topic); return len(own) == 1 && own["retention.ms"] == "7200000" })
}

func groups() {
	topic := create("listed", 1)
	produce(topic, "kafka-go-listed", 0, plain(run.Lines[:10])...)
	reader := kafka.NewReader(inGroup(topic))
	for range 10 {
		Must(reader.ReadMessage(deadline()))
	}
	found := describe(topic)
	Same("Stable", found.GroupState, "state")
	Same(1, len(found.Members), "members")
	Same([]kafka.GroupMemberTopic{{Topic: topic, Partitions: []int{0}}}, found.Members[0].MemberAssignments.Topics, "assignment")
	Same(true, listed(topic), "the group in the list")
	Check(reader.Close())
	Until("the group is empty", func() bool { return describe(topic).GroupState == "Empty" })
	Check(Must(admin.DeleteGroups(deadline(), &kafka.DeleteGroupsRequest{GroupIDs: []string{topic}})).Errors[topic])
	Same(false, listed(topic), "the group in the list")
}

func describe(group string) kafka.DescribeGroupsResponseGroup {
	found := Must(admin.DescribeGroups(deadline(), &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})).Groups[0]
	Check(found.Error)
	return found
}

func listed(group string) bool {
	for _, found := range Must(admin.ListGroups(deadline(), &kafka.ListGroupsRequest{})).Groups {
		if found.GroupID == group {
			return true
		}
	}
	return false
}

func offsetsDeleted() {
	topic := create("forgotten", 1)
	produce(topic, "kafka-go-forgotten", 0, plain(run.Lines[:10])...)
	take(inGroup(topic), 10)
	Same(int64(10), committed(topic), "committed")
	request := kafka.OffsetDeleteRequest{GroupID: topic, Topics: map[string][]int{topic: {0}}}
	Check(Must(admin.OffsetDelete(deadline(), &request)).Topics[topic][0].Error)
	Same(int64(-1), committed(topic), "committed")
}

// member consumes in a group by the part of this client that tells of generations.
func member() {
	voice, leaving, options := &Voice{}, Leaving(), run.Member
	group := Must(kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{ID: options.Group, Brokers: []string{run.Bootstrap},
		Topics: []string{options.Topic}, StartOffset: kafka.FirstOffset, SessionTimeout: options.Session,
		HeartbeatInterval: 500 * time.Millisecond, JoinGroupBackoff: 100 * time.Millisecond}))
	var generations sync.WaitGroup
	for {
		generation, err := group.Next(leaving)
		if leaving.Err() != nil {
			break
		}
		if err != nil {
			continue // the client tries again
		}
		assigned := generation.Assignments[options.Topic]
		voice.Owns(numbers(assigned), true)
		for _, partition := range assigned {
			generations.Add(1)
			generation.Start(func(ctx context.Context) {
				defer generations.Done()
				consumePartition(ctx, generation, partition, voice)
			})
		}
	}
	Check(group.Close())
	generations.Wait()
}

func numbers(assigned []kafka.PartitionAssignment) []int32 {
	partitions := make([]int32, len(assigned))
	for at, partition := range assigned {
		partitions[at] = int32(partition.ID)
	}
	return partitions
}

// consumePartition reads until the generation ends, and commits what it has told of.
func consumePartition(ctx context.Context, generation *kafka.Generation, assigned kafka.PartitionAssignment, voice *Voice) {
	topic := run.Member.Topic
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{run.Bootstrap}, Topic: topic, Partition: assigned.ID,
		MaxWait: 100 * time.Millisecond})
	defer reader.Close()
	Check(reader.SetOffset(assigned.Offset))
	next := assigned.Offset
	for {
		message, err := reader.ReadMessage(ctx)
		if err != nil {
			break
		}
		voice.Row(int32(message.Partition), message.Offset, message.Value)
		next = message.Offset + 1
	}
	voice.Owns([]int32{int32(assigned.ID)}, false)
	if next >= 0 {
		// A rebalance may have gone on without this member: what it cannot commit, another one consumes again.
		_ = generation.CommitOffsets(map[string]map[int]int64{topic: {assigned.ID: next}})
	}
}

func cases() {
	for _, codec := range Codecs {
		run.Case("10,000 lines, "+codec, func() { allLines(codec) })
	}
	run.Case("topics created, described, deleted", topics)
	run.Case("partitions added", partitionsAdded)
	run.Case("settings altered", settings)
	run.Case("groups listed, described, deleted", groups)
	run.Case("offsets deleted", offsetsDeleted)
	run.Case("offsets set by time", setByTime)
	run.Case("headers with duplicate keys, null keys and values", headersAndNulls)
	run.Case("restart from committed", restartFromCommitted)
	run.Case("a record of 1 MiB", mebibyte)
}

func main() { run.Main(member, cases) }
