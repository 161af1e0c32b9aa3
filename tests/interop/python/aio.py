"""aiokafka."""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from harness import CODECS, DEADLINE_S, GROUP_PARTITIONS, LINES, Run, ThreadMember, group_of_two, same

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


class Member(ThreadMember):
    def work(self):
        asyncio.run(self.consume())

    async def consume(self):
        consumer = AIOKafkaConsumer(self.topic, bootstrap_servers=run.bootstrap, group_id=self.topic,
                                    auto_offset_reset="earliest", heartbeat_interval_ms=500)
        await consumer.start()
        while not self.leave.is_set():
            for rows in (await consumer.getmany(timeout_ms=200)).values():
                self.taken.extend((row.partition, row.offset, row.value) for row in rows)
            self.owned = len(consumer.assignment())
        await consumer.stop()


def group():
    topic = asyncio.run(create("group", GROUP_PARTITIONS))
    group_of_two(lambda: Member(topic), lambda lines: asyncio.run(send(topic, lines, GROUP_PARTITIONS)))


def case(name, body, *arguments):
    run.case(name, lambda: asyncio.run(body(*arguments)))


for codec in CODECS:
    case(f"10,000 lines, {codec}", all_lines, codec)
run.case("group of two, one leaves", group)
case("idempotent", idempotent)
run.done()
