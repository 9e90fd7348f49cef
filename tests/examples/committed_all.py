"""Whether a group has committed all that a topic holds: to its very end, where the ends of transactions are, too."""

import sys

from confluent_kafka import Consumer, TopicPartition

bootstrap, topic, group = sys.argv[1:]
consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
partitions = [TopicPartition(topic, partition) for partition in consumer.list_topics(topic, timeout=30).topics[topic].partitions]
for committed in consumer.committed(partitions, timeout=30):
    _, end = consumer.get_watermark_offsets(committed, timeout=30)
    if committed.offset != end:
        sys.exit(f"{committed.partition}: {committed.offset} of {end}")
