"""aiokafka."""

import asyncio
import contextlib

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import KafkaError
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from harness import CODECS, LINES, MIB, Run, Voice
from result import DEADLINE_S, Failed, same

run = Run("aiokafka")


@contextlib.asynccontextmanager
async def started(client):
    await client.start()
    try:
        yield client
    finally:
        await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())


def administrator():
    return started(AIOKafkaAdminClient(bootstrap_servers=run.bootstrap))


async def create(name, partitions=1, **config):
    topic = run.topic(name)
    config = {key.replace("_", "."): value for key, value in config.items()}
    async with administrator() as admin:
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=config)])
    return topic


async def send(topic, lines, **settings):
    """Produces the lines and returns the offsets."""
    async with started(AIOKafkaProducer(bootstrap_servers=run.bootstrap, acks="all", **settings)) as producer:
        tickets = [await producer.send(topic, line, partition=0) for line in lines]
        return [(await ticket).offset for ticket in tickets]


async def consume(topic, count):
    async with started(AIOKafkaConsumer(bootstrap_servers=run.bootstrap, enable_auto_commit=False)) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek(TopicPartition(topic, 0), 0)
        return await take(consumer, count)


async def take(consumer, count):
    return [await asyncio.wait_for(consumer.getone(), DEADLINE_S) for _ in range(count)]


def values(rows):
    return [row.value for row in rows]


async def all_lines(codec):
    topic, client_id = await create(codec), f"aiokafka-{codec}"
    await send(topic, LINES, compression_type=None if codec == "none" else codec, client_id=client_id)
    same(LINES, values(await consume(topic, len(LINES))), "lines")
    run.check_codec(client_id, codec)


async def idempotent():
    topic = await create("idempotent")
    same(list(range(len(LINES))), await send(topic, LINES, enable_idempotence=True), "offsets")


async def topics():
    topic = await create("admin", 3, retention_ms="3600000")
    same(3, len(await partitions_of(topic)), "partitions")
    same("3600000", await retention_of(topic), "retention.ms")
    async with administrator() as admin:
        await admin.delete_topics([topic])
        await until("the topic is gone", lambda: gone(admin, topic))


async def gone(admin, topic):
    return topic not in await admin.list_topics()


async def until(what, condition):
    async def met():
        while not await condition():
            await asyncio.sleep(0.05)
    try:
        await asyncio.wait_for(met(), DEADLINE_S)
    except TimeoutError as error:
        raise Failed(f"{what}: not within {DEADLINE_S} s") from error


async def partitions_of(topic):
    async with administrator() as admin:
        return (await admin.describe_topics([topic]))[0]["partitions"]


async def retention_of(topic):
    async with administrator() as admin:
        [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        return {entry[0]: entry[1] for entry in answer.resources[0][4]}["retention.ms"]


async def partitions():
    topic = await create("partitions")
    async with administrator() as admin:
        await admin.create_partitions({topic: NewPartitions(3)})

    async def three():
        return len(await partitions_of(topic)) == 3
    await until("three partitions", three)


async def settings():
    topic = await create("settings", retention_ms="3600000")
    async with administrator() as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "7200000"})])

    async def altered():
        return await retention_of(topic) == "7200000"
    await until("retention.ms is two hours", altered)


async def headers_and_nulls():
    topic = await create("headers")
    headers = [("a", b"1"), ("a", None), ("b", b""), ("a", b"\xff\x00")]
    pairs = [(b"key", b"value"), (None, b"no key"), (b"no value", None), (b"", b"")]
    async with started(AIOKafkaProducer(bootstrap_servers=run.bootstrap)) as producer:
        for key, value in pairs:
            await producer.send_and_wait(topic, value, key, partition=0, headers=headers)
    rows = await consume(topic, len(pairs))
    same(pairs, [(row.key, row.value) for row in rows], "keys and values")
    same([headers] * len(pairs), [list(row.headers) for row in rows], "headers")


def in_group(topic, *topics, **settings):
    return started(AIOKafkaConsumer(*topics, bootstrap_servers=run.bootstrap, group_id=topic, enable_auto_commit=False,
                                    auto_offset_reset="earliest", **settings))


async def set_by_time():
    """Commits as a consumer that is in no group."""
    topic = await create("by-time", retention_ms="-1")  # old records: retention must not take them away
    async with started(AIOKafkaProducer(bootstrap_servers=run.bootstrap)) as producer:
        for stamp in (1000, 2000, 3000):
            await producer.send_and_wait(topic, str(stamp).encode(), partition=0, timestamp_ms=stamp)
    place = TopicPartition(topic, 0)
    async with in_group(topic) as consumer:
        consumer.assign([place])
        found = (await consumer.offsets_for_times({place: 1500}))[place]
        await consumer.commit({place: found.offset})
    async with in_group(topic, topic) as consumer:
        same([b"2000", b"3000"], values(await take(consumer, 2)), "records from the time on")


async def mebibyte():
    topic, value = await create("mebibyte", max_message_bytes=str(2 * MIB)), bytes(range(256)) * (MIB // 256)
    await send(topic, [value], max_request_size=2 * MIB)
    same(True, values(await consume(topic, 1)) == [value], "the same 1 MiB")


class Listener(ConsumerRebalanceListener):
    def __init__(self, voice):
        self.voice = voice

    def on_partitions_assigned(self, assigned):
        self.voice.assigned(place.partition for place in assigned)

    def on_partitions_revoked(self, revoked):
        self.voice.revoked(place.partition for place in revoked)


async def member():
    """A member of a group as members.py wants it."""
    options, voice = run.options, Voice()
    consumer = AIOKafkaConsumer(bootstrap_servers=run.bootstrap, group_id=options.group, auto_offset_reset="earliest",
                                group_instance_id=options.instance, session_timeout_ms=options.session,
                                heartbeat_interval_ms=500)
    consumer.subscribe([options.member], listener=Listener(voice))
    async with started(consumer):
        while not voice.leaving.is_set():
            for rows in (await consumer.getmany(timeout_ms=100)).values():
                for row in rows:
                    voice.row(row.partition, row.offset, row.value)


async def transactional(stack, topic, **settings):
    producer = AIOKafkaProducer(bootstrap_servers=run.bootstrap, transactional_id=topic, **settings)
    return await stack.enter_async_context(started(producer))


async def open_transaction(producer, topic, *rows):
    await producer.begin_transaction()
    for row in rows:
        await producer.send_and_wait(topic, row, partition=0)


async def check_committed(topic, *expected):
    settings = {"enable_auto_commit": False, "isolation_level": "read_committed"}
    async with started(AIOKafkaConsumer(bootstrap_servers=run.bootstrap, **settings)) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek(TopicPartition(topic, 0), 0)
        same(list(expected), values(await take(consumer, len(expected))), "committed values")


async def refused(what, attempt):
    try:
        await attempt
    except KafkaError:
        return
    raise Failed(f"{what} was not refused")


async def txn_committed():
    topic = await create("txn-committed")
    async with contextlib.AsyncExitStack() as stack:
        producer = await transactional(stack, topic)
        for rows in ([b"one", b"two"], [b"three"]):
            await open_transaction(producer, topic, *rows)
            await producer.commit_transaction()
    await check_committed(topic, b"one", b"two", b"three")


async def txn_aborted():
    topic = await create("txn-aborted")
    async with contextlib.AsyncExitStack() as stack:
        producer = await transactional(stack, topic)
        await open_transaction(producer, topic, b"dropped")
        await producer.abort_transaction()
        await open_transaction(producer, topic, b"kept")
        await producer.commit_transaction()
    await check_committed(topic, b"kept")


async def txn_fenced():
    topic = await create("txn-fenced")
    async with contextlib.AsyncExitStack() as stack:
        zombie = await transactional(stack, topic)
        await open_transaction(zombie, topic, b"lost")
        producer = await transactional(stack, topic)
        await refused("commit of a producer that was replaced", zombie.commit_transaction())
        await open_transaction(producer, topic, b"kept")
        await producer.commit_transaction()
    await check_committed(topic, b"kept")


async def txn_timed_out():
    topic = await create("txn-late")
    async with contextlib.AsyncExitStack() as stack:
        late = await transactional(stack, topic, transaction_timeout_ms=1000)
        await open_transaction(late, topic, b"late")
        await send(topic, [b"after"])
        await check_committed(topic, b"after")
        await refused("commit of a transaction that was aborted", late.commit_transaction())


async def txn_offsets():
    topic = await create("txn-offsets")
    place = TopicPartition(topic, 0)
    async with contextlib.AsyncExitStack() as stack:
        producer = await transactional(stack, topic)
        for offset, end in ((2, producer.commit_transaction), (3, producer.abort_transaction)):
            await producer.begin_transaction()
            await producer.send_offsets_to_transaction({place: offset}, topic)
            await end()
    async with administrator() as admin:
        same(2, (await admin.list_consumer_group_offsets(topic))[place].offset, "committed offset")


def case(name, body, *arguments):
    run.case(name, lambda: asyncio.run(body(*arguments)))


def cases():
    for codec in CODECS:
        case(f"10,000 lines, {codec}", all_lines, codec)
    case("idempotent", idempotent)
    case("transaction committed", txn_committed)
    case("transaction aborted", txn_aborted)
    case("transaction fenced", txn_fenced)
    case("transaction timed out", txn_timed_out)
    case("transaction with offsets", txn_offsets)
    case("topics created, described, deleted", topics)
    case("partitions added", partitions)
    case("settings altered", settings)
    case("offsets set by time", set_by_time)
    case("headers with duplicate keys, null keys and values", headers_and_nulls)
    case("a record of 1 MiB", mebibyte)
    run.done()


if run.options.member:
    asyncio.run(member())
else:
    cases()
