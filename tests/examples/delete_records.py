"""Deletes all that a topic holds, as its retention would, for the test of what a consumer makes of that."""

import sys

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

bootstrap, topic = sys.argv[1:]
consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "none"})
ends = []
for partition in consumer.list_topics(topic, timeout=30).topics[topic].partitions:
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
    ends.append(TopicPartition(topic, partition, end))
client = AdminClient({"bootstrap.servers": bootstrap})
for deleted in client.delete_records(ends).values():
    deleted.result(timeout=30)
