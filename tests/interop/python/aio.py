"""aiokafka."""

import asyncio
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from harness import CODECS, DEADLINE_S, GROUP_PARTITIONS, LINES, Failed, Run, check_group, same

run = Run("aiokafka")


async def create(name, partitions=1):
    topic = run.topic(name)
    admin = AIOKafkaAdminClient(bootstrap_servers=run.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1)])
    finally:
        await admin.close()
    return topic


async def send(topic, lines, partitions=1, **settings):
    """Produces the lines in turn over the partitions and returns the offsets."""
    producer = AIOKafkaProducer(bootstrap_servers=run.bootstrap, acks="all", **settings)
    await producer.start()
    try:
        tickets = [await producer.send(topic, line, partition=at % partitions) for at, line in enumerate(lines)]
        return [(await ticket).offset for ticket in tickets]
    finally:
        await producer.stop()


async def consume(topic, count):
    consumer = AIOKafkaConsumer(bootstrap_servers=run.bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek(TopicPartition(topic, 0), 0)
        return [(await asyncio.wait_for(consumer.getone(), DEADLINE_S)).value for _ in range(count)]
    finally:
        await consumer.stop()


async def all_lines(codec):
    topic, client_id = await create(codec), f"aiokafka-{codec}"
    await send(topic, LINES, compression_type=None if codec == "none" else codec, client_id=client_id)
    same(LINES, await consume(topic, len(LINES)), "lines")
    run.check_codec(client_id, codec)


async def idempotent():
    topic = await create("idempotent")
    same(list(range(len(LINES))), await send(topic, LINES, enable_idempotence=True), "offsets")


class Member:
    """A consumer of a group in its own task."""

    def __init__(self, topic):
        self.topic, self.rows, self.owned, self.leave = topic, [], 0, asyncio.Event()
        self.task = asyncio.create_task(self.work())

    async def work(self):
        consumer = AIOKafkaConsumer(self.topic, bootstrap_servers=run.bootstrap, group_id=self.topic,
                                    auto_offset_reset="earliest", heartbeat_interval_ms=500)
        await consumer.start()
        while not self.leave.is_set():
            for rows in (await consumer.getmany(timeout_ms=200)).values():
                self.rows.extend((row.partition, row.offset, row.value) for row in rows)
            self.owned = len(consumer.assignment())
        await consumer.stop()

    async def stop(self):
        self.leave.set()
        await asyncio.wait_for(self.task, 30)


async def group_of_two():
    topic = await create("group", GROUP_PARTITIONS)
    members = [Member(topic), Member(topic)]
    await until("both members have partitions", lambda: all(0 < member.owned < GROUP_PARTITIONS for member in members))
    await send(topic, LINES[:5000], GROUP_PARTITIONS)
    await until("half of the lines", lambda: len(places(members)) == 5000)
    await members[0].stop()
    await send(topic, LINES[5000:], GROUP_PARTITIONS)
    await until("all lines", lambda: len(places(members)) == len(LINES))
    await members[1].stop()
    check_group(members[0].rows, members[1].rows)


def places(members):
    return {row[:2] for member in members for row in member.rows}


async def until(what, condition):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {DEADLINE_S} s")
        await asyncio.sleep(0.05)


def case(name, body, *arguments):
    run.case(name, lambda: asyncio.run(body(*arguments)))


for codec in CODECS:
    case(f"10,000 lines, {codec}", all_lines, codec)
case("group of two, one leaves", group_of_two)
case("idempotent", idempotent)
run.done()
