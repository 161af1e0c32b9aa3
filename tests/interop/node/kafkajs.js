// KafkaJS. Gzip is its own, Snappy comes from the package that its documentation names. For LZ4 and Zstandard that names
// packages of C++ that take minutes to compile with a current Node, or cannot be: here a codec without C++ is plugged in
// for each, the way the documentation tells.

import assert from "node:assert/strict";
import { once } from "node:events";
import kafkajs from "kafkajs";
import snappy from "kafkajs-snappy";
import lz4 from "lz4-napi";
import { Zstd } from "@hpcc-js/wasm-zstd";

import { CODECS, LINES, MIB, OPTIONS, Run, until } from "./harness.js";

const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = kafkajs;
const TYPES = { none: "None", gzip: "GZIP", snappy: "Snappy", lz4: "LZ4", zstd: "ZSTD" };

const zstd = await Zstd.load();
CompressionCodecs[CompressionTypes.Snappy] = snappy;
CompressionCodecs[CompressionTypes.LZ4] = codec(lz4.compressFrame, lz4.decompressFrame);
CompressionCodecs[CompressionTypes.ZSTD] = codec((bytes) => zstd.compress(bytes), (bytes) => zstd.decompress(bytes));

function codec(compress, decompress) {
  return () => ({
    compress: async (encoder) => Buffer.from(await compress(encoder.buffer)),
    decompress: async (buffer) => Buffer.from(await decompress(buffer)),
  });
}

const run = new Run("kafkajs");
const admin = kafka("kafkajs-admin").admin();

function kafka(clientId) {
  return new Kafka({ clientId, brokers: [run.bootstrap], logLevel: logLevel.ERROR });
}

async function create(name, numPartitions = 1, configEntries = []) {
  const topic = run.topic(name);
  await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 1, configEntries }] });
  return topic;
}

/** Produces the messages in batches of 500 and returns the base offset of each. */
async function send(topic, messages, { clientId = "kafkajs-producer", compression = CompressionTypes.None, ...settings } = {}) {
  const producer = kafka(clientId).producer(settings);
  await producer.connect();
  const offsets = [];
  try {
    for (let at = 0; at < messages.length; at += 500) {
      const part = messages.slice(at, at + 500);
      const answers = await producer.send({ topic, messages: part, acks: -1, compression });
      offsets.push(...answers.map((answer) => Number(answer.baseOffset)));
    }
  } finally {
    await producer.disconnect();
  }
  return offsets;
}

function plain(lines, partitions = 1) {
  return lines.map((value, at) => ({ value, partition: at % partitions }));
}

/** A member of a group that starts at the beginning and takes every message; `joined` hears of each new assignment. */
async function consumer(groupId, topic, each, joined = () => {}, settings = {}) {
  const consumer = kafka("kafkajs-consumer").consumer({ groupId, heartbeatInterval: 500, maxWaitTimeInMs: 100, ...settings });
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => joined(payload.memberAssignment[topic] ?? []));
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({ eachMessage: async ({ partition, message }) => each(partition, message) });
  return consumer;
}

/** This client has no consumer without a group. */
async function consume(topic, count) {
  const messages = [];
  const reader = await consumer(`${topic}-reader`, topic, (_, message) => messages.push(message));
  await until(`${count} messages`, () => messages.length >= count);
  await reader.disconnect();
  return messages;
}

async function allLines(name) {
  const topic = await create(name);
  const clientId = `kafkajs-${name}`;
  await send(topic, plain(LINES), { clientId, compression: CompressionTypes[TYPES[name]] });
  const values = (await consume(topic, LINES.length)).map((message) => message.value.toString());
  assert.deepEqual(values, LINES, "lines");
  run.checkCodec(clientId, name);
}

async function idempotent() {
  const offsets = await send(await create("idempotent"), plain(LINES), { idempotent: true, maxInFlightRequests: 1 });
  assert.deepEqual(offsets, Array.from({ length: LINES.length / 500 }, (_, at) => at * 500));
}

async function headersAndNulls() {
  const topic = await create("headers");
  const headers = { a: ["1", "2"], b: "", c: Buffer.from([255, 0]) };
  const pairs = [["key", "value"], [null, "no key"], ["no value", null], ["", ""]];
  await send(topic, pairs.map(([key, value]) => ({ key, value, headers, partition: 0 })));
  const messages = await consume(topic, pairs.length);
  const text = (bytes) => bytes && bytes.toString();
  assert.deepEqual(messages.map((message) => [text(message.key), text(message.value)]), pairs);
  for (const message of messages) {
    assert.deepEqual(message.headers.a.map(text), ["1", "2"]);
    assert.equal(text(message.headers.b), "");
    assert.deepEqual([...message.headers.c], [255, 0]);
  }
}

/** A member of a group as ../python/members.py wants it. */
async function member() {
  const told = (partitions) => console.log(`own ${partitions.join(",")}`);
  const inner = await consumer(
    OPTIONS.group,
    OPTIONS.member,
    (partition, { offset, value }) => console.log(`row ${partition} ${offset} ${value}`),
    told,
    { sessionTimeout: Number(OPTIONS.session) },
  );
  inner.on(inner.events.REBALANCING, () => told([]));
  await once(process, "SIGTERM");
  await inner.disconnect();
}

async function topics() {
  const topic = await create("admin", 3, [{ name: "retention.ms", value: "3600000" }]);
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  assert.equal(topics[0].partitions.length, 3);
  assert.equal(await retentionOf(topic), "3600000");
  await admin.deleteTopics({ topics: [topic] });
  await until("the topic is gone", async () => !(await admin.listTopics()).includes(topic));
}

async function retentionOf(topic) {
  const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ["retention.ms"] }];
  const described = await admin.describeConfigs({ includeSynonyms: false, resources });
  return described.resources[0].configEntries[0].configValue;
}

async function partitionsAdded() {
  const topic = await create("partitions");
  await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
  await until("three partitions", async () => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0].partitions.length === 3;
  });
  await send(topic, [{ value: "value", partition: 2 }]);
}

async function settings() {
  const topic = await create("settings", 1, [{ name: "retention.ms", value: "3600000" }]);
  const configEntries = [{ name: "retention.ms", value: "7200000" }];
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }] });
  await until("retention.ms is two hours", async () => (await retentionOf(topic)) === "7200000");
}

async function groupsDescribed() {
  const topic = await create("listed");
  await send(topic, plain(LINES.slice(0, 10)));
  let taken = 0;
  const member = await consumer(topic, topic, () => (taken += 1));
  await until("ten messages", () => taken === 10);
  const { groups } = await admin.listGroups();
  assert.deepEqual(groups.find((found) => found.groupId === topic), { groupId: topic, protocolType: "consumer" });
  const described = await describe(topic);
  assert.equal(described.state, "Stable");
  assert.deepEqual(described.members.map((found) => found.clientId), ["kafkajs-consumer"]);
  await member.disconnect();
  await until("the group is empty", async () => (await describe(topic)).state === "Empty");
  const [committed] = await admin.fetchOffsets({ groupId: topic, topics: [topic] });
  assert.equal(committed.partitions[0].offset, "10");
  await admin.deleteGroups([topic]);
  assert(!(await admin.listGroups()).groups.some((found) => found.groupId === topic), "the group in the list");
}

async function describe(group) {
  return (await admin.describeGroups([group])).groups[0];
}

async function offsetsByTime() {
  // The records are old: retention must not take them away.
  const topic = await create("offsets", 1, [{ name: "retention.ms", value: "-1" }]);
  await send(topic, [1000, 2000, 3000].map((stamp) => ({ value: "value", timestamp: String(stamp) })));
  const [ends] = await admin.fetchTopicOffsets(topic);
  assert.deepEqual([ends.low, ends.high], ["0", "3"]);
  const [found] = await admin.fetchTopicOffsetsByTimestamp(topic, 1500);
  assert.equal(found.offset, "1");
}

async function transactional(transactionalId, settings = {}) {
  const producer = kafka("kafkajs-transactional").producer({ transactionalId, idempotent: true, maxInFlightRequests: 1, ...settings });
  await producer.connect();
  return producer;
}

async function open(producer, topic, ...values) {
  const transaction = await producer.transaction();
  for (const value of values) await transaction.send({ topic, messages: [{ value, partition: 0 }] });
  return transaction;
}

/** This client reads only what is committed, unless it is told otherwise. */
async function checkCommitted(topic, ...expected) {
  const values = (await consume(topic, expected.length)).map((message) => message.value.toString());
  assert.deepEqual(values, expected, "committed values");
}

async function committed() {
  const topic = await create("txn-committed");
  const producer = await transactional(topic);
  await (await open(producer, topic, "one", "two")).commit();
  await (await open(producer, topic, "three")).commit();
  await producer.disconnect();
  await checkCommitted(topic, "one", "two", "three");
}

async function aborted() {
  const topic = await create("txn-aborted");
  const producer = await transactional(topic);
  await (await open(producer, topic, "dropped")).abort();
  await (await open(producer, topic, "kept")).commit();
  await producer.disconnect();
  await checkCommitted(topic, "kept");
}

async function fenced() {
  const topic = await create("txn-fenced");
  const [zombie, producer] = [await transactional(topic), await transactional(topic)];
  const lost = await open(zombie, topic, "lost");
  const kept = await open(producer, topic, "kept");
  await assert.rejects(lost.commit(), "commit of a producer that was replaced");
  await kept.commit();
  await producer.disconnect();
  await checkCommitted(topic, "kept");
}

async function timedOut() {
  const topic = await create("txn-late");
  const late = await open(await transactional(topic, { transactionTimeout: 1000 }), topic, "late");
  await send(topic, plain(["after"]));
  await checkCommitted(topic, "after");
  await assert.rejects(late.commit(), "commit of a transaction that was aborted");
}

async function withOffsets() {
  const topic = await create("txn-offsets");
  const producer = await transactional(topic);
  for (const [offset, end] of [["2", "commit"], ["3", "abort"]]) {
    const transaction = await producer.transaction();
    await transaction.sendOffsets({ consumerGroupId: topic, topics: [{ topic, partitions: [{ partition: 0, offset }] }] });
    await transaction[end]();
  }
  await producer.disconnect();
  const [found] = await admin.fetchOffsets({ groupId: topic, topics: [topic] });
  assert.equal(found.partitions[0].offset, "2", "committed offset");
}

/** Moves a group to the first record at or after a time. */
async function setByTime() {
  const topic = await create("by-time", 1, [{ name: "retention.ms", value: "-1" }]);
  await send(topic, ["1000", "2000", "3000"].map((stamp) => ({ value: stamp, timestamp: stamp })));
  await admin.setOffsets({ groupId: topic, topic, partitions: await admin.fetchTopicOffsetsByTimestamp(topic, 1500) });
  const values = [];
  const member = await consumer(topic, topic, (_, message) => values.push(message.value.toString()));
  await until("two messages", () => values.length >= 2);
  await member.disconnect();
  assert.deepEqual(values, ["2000", "3000"]);
}

async function mebibyte() {
  const topic = await create("mebibyte", 1, [{ name: "max.message.bytes", value: String(2 * MIB) }]);
  const value = Buffer.from(Array.from({ length: MIB }, (_, at) => (at * 31) >> 3));
  await send(topic, [{ value, partition: 0 }]);
  const [message] = await consume(topic, 1);
  assert(value.equals(message.value), "the same 1 MiB");
}

if (OPTIONS.member) {
  await member();
  process.exit();
}
await admin.connect();
for (const name of CODECS) await run.case(`10,000 lines, ${name}`, () => allLines(name));
await run.case("idempotent", idempotent);
await run.case("transaction committed", committed);
await run.case("transaction aborted", aborted);
await run.case("transaction fenced", fenced);
await run.case("transaction timed out", timedOut);
await run.case("transaction with offsets", withOffsets);
await run.case("topics created, described, deleted", topics);
await run.case("partitions added", partitionsAdded);
await run.case("settings altered", settings);
await run.case("groups listed, described, deleted", groupsDescribed);
await run.case("offsets set by time", setByTime);
await run.case("offsets by time", offsetsByTime);
await run.case("headers with duplicate keys, null keys and values", headersAndNulls);
await run.case("a record of 1 MiB", mebibyte);
await admin.disconnect();
run.done();
process.exit(); // what a failed case has left open
