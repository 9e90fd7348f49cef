#!/usr/bin/env python3
"""Writes a stream's topic into Parquet files, each record into one file and once.

The files themselves say how far this program has come: FOLDER/partition=P/FIRST-LAST.parquet holds every record of partition P from offset
FIRST to offset LAST, and the next start reads on behind the last file of each partition. A file appears under its name when all of it is on
the disk, so that nobody ever reads half of one.
"""

import argparse
import fcntl
import os
import pathlib
import sys
import time

import pyarrow
import pyarrow.parquet
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

# `partition` is in the name of the folder, where readers of Parquet look for it.
SCHEMA = pyarrow.schema([
    ("offset", pyarrow.int64()),
    ("key", pyarrow.string()),
    ("deleted", pyarrow.bool_()),  # a tombstone: no value
    ("form", pyarrow.string()),
    ("lane", pyarrow.string()),
    ("window", pyarrow.string()),
    ("read_at", pyarrow.string()),
    ("value", pyarrow.string()),  # the JSON as it was published
])


def to_row(message):
    headers = {name: value.decode() for name, value in message.headers() or []}
    value = message.value()
    return {"offset": message.offset(), "key": message.key().decode(), "deleted": value is None, "form": headers.get("gk.form"),
            "lane": headers.get("gk.lane"), "window": headers.get("gk.window"), "read_at": headers.get("gk.read-at"),
            "value": None if value is None else value.decode()}


def sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Folder:
    """What is written of one partition, and where it goes on."""

    def __init__(self, root, partition):
        self.path = root / f"partition={partition}"
        self.path.mkdir(exist_ok=True)
        sync(root)
        for unfinished in self.path.glob("*.tmp"):  # of a life that was killed
            unfinished.unlink()
        ranges = sorted(tuple(int(offset) for offset in file.stem.split("-")) for file in self.path.glob("*.parquet"))
        for (_, last), (first, _) in zip(ranges, ranges[1:]):
            if first <= last:
                sys.exit(f"{self.path}: two files hold offset {first}: somebody else has written here")
        # Not by adding up: offsets have gaps, where transactions end and where the topic was compacted.
        self.next = ranges[-1][1] + 1 if ranges else OFFSET_BEGINNING

    def write(self, messages):
        first, last = messages[0].offset(), messages[-1].offset()
        file = self.path / f"{first:020}-{last:020}.parquet"
        unfinished = file.with_suffix(".tmp")
        table = pyarrow.Table.from_pylist([to_row(message) for message in messages], schema=SCHEMA)
        pyarrow.parquet.write_table(table, unfinished, compression="zstd")
        sync(unfinished)
        unfinished.rename(file)
        sync(self.path)  # the name, too, survives a power cut before anything builds on it
        print(f"{file}: {len(messages)} records")


def lock(root):
    """One writer a folder: held until this process ends, however it ends."""
    file = open(root / ".lock", "w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"{root}: another process writes here")
    return file


def partitions_of(consumer, topic):
    found = consumer.list_topics(topic, timeout=30).topics[topic]
    if found.error:
        raise KafkaException(found.error)
    return sorted(found.partitions)


def run(options):
    options.folder.mkdir(parents=True, exist_ok=True)
    held = lock(options.folder)  # noqa: F841 — for as long as this runs
    consumer = Consumer({
        **dict(each.split("=", 1) for each in options.properties),
        "bootstrap.servers": options.bootstrap,
        "group.id": "parquet",  # the library wants one; no group is joined and nothing committed: the files are what counts
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",  # what the topic holds no more, or is another topic by now, is said and not passed over
    })
    folders = {partition: Folder(options.folder, partition) for partition in options.partitions or partitions_of(consumer, options.topic)}
    consumer.assign([TopicPartition(options.topic, partition, folder.next) for partition, folder in folders.items()])
    pending = {}  # partition → (when its first message came, messages)
    while True:
        message = consumer.poll(0.2)
        if message is not None and message.error():
            if not message.error().retriable():
                raise KafkaException(message.error())
            print(message.error(), file=sys.stderr)
        elif message is not None:
            _, messages = pending.setdefault(message.partition(), (time.monotonic(), []))
            messages.append(message)
        too_old = time.monotonic() - options.seconds
        due = [number for number, (began, messages) in pending.items() if began <= too_old or len(messages) >= options.records]
        for partition in due:
            folders[partition].write(pending.pop(partition)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--partition", dest="partitions", type=int, action="append", metavar="N", help="only this one; repeatable (default: all)")
    parser.add_argument("--records", type=int, default=10_000, help="of a full file")
    parser.add_argument("--seconds", type=float, default=60, help="after which a file is written though it is not full")
    parser.add_argument("--set", dest="properties", action="append", default=[], metavar="KEY=VALUE", help="of librdkafka, such as security")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    try:
        run(options)
    except KeyboardInterrupt:
        pass  # what is in no file is read again


if __name__ == "__main__":
    main()
