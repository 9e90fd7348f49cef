"""Creates an empty topic of one partition."""

import sys

from confluent_kafka.admin import AdminClient, NewTopic

bootstrap, topic = sys.argv[1:]
client = AdminClient({"bootstrap.servers": bootstrap})
for created in client.create_topics([NewTopic(topic, 1, 1)]).values():
    created.result(timeout=30)
