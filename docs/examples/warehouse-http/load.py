#!/usr/bin/env python3
"""Loads a stream's topic into a warehouse over HTTP, in batches of a fixed size.

A batch is what one partition has next. Its offsets are committed when the warehouse has accepted it, never before: whatever ends this
program, and at whatever moment, the next start sends again what was not committed. The warehouse keeps a row once by its partition and offset.
"""

import argparse
import email.utils
import http.client
import json
import os
import random
import signal
import sys
import time
import urllib.error
import urllib.request

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

# Answers that another try may mend, beside all of 500 and above. Every other one needs a person.
TRIED_AGAIN = {408, 425, 429}
LONGEST_PAUSE = 10.0  # seconds, unless the warehouse asks for more
TAKEN_AWAY = {KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS}


def seconds_of(retry_after, now):
    """How long the warehouse wants to be left alone, which it says as a number of seconds or as a date."""
    try:
        if retry_after.isdecimal():
            return float(retry_after)
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - now)
    except (TypeError, ValueError):  # it says nothing, or nothing that can be read
        return 0.0


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would turn the POST into a GET, whose 200 says nothing of the rows."""

    def redirect_request(self, *_):
        return None


class Warehouse:
    def __init__(self, url, token, give_up):
        self.opener = urllib.request.build_opener(NoRedirect)
        self.url, self.token, self.give_up = url, token, give_up

    def accept(self, key, rows):
        """Returns when the warehouse has accepted the rows; raises when it refuses them, or has not taken them for too long."""
        body = "".join(json.dumps(row) + "\n" for row in rows).encode()
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": key}
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        deadline = time.monotonic() + self.give_up
        pause = 0.1
        while True:
            least = 0.0
            try:
                with self.opener.open(urllib.request.Request(self.url, body, headers, method="POST"), timeout=20) as answer:
                    answer.read()
                    return
            except urllib.error.HTTPError as error:
                if error.code < 500 and error.code not in TRIED_AGAIN:
                    raise
                trouble, least = error, seconds_of(error.headers.get("Retry-After", ""), time.time())
            except (OSError, http.client.HTTPException) as error:  # no answer: it may have taken them or not
                trouble = error
            wait = max(least, random.uniform(pause / 2, pause))
            if time.monotonic() + wait > deadline:
                raise trouble
            print(f"batch {key}: {trouble!r}; again in {wait:.1f} s", file=sys.stderr)
            time.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)


def to_row(message):
    headers = {name: value.decode() for name, value in message.headers() or []}
    value = message.value()
    return {"partition": message.partition(), "offset": message.offset(), "key": message.key().decode(),
            "deleted": value is None,  # a tombstone
            "sealed": headers.get("gk.form") == "job", "window": headers.get("gk.window"), "read_at": headers.get("gk.read-at"),
            "value": None if value is None else value.decode()}


class Loader:
    def __init__(self, consumer, warehouse, options):
        self.consumer, self.warehouse, self.options = consumer, warehouse, options
        self.batches = {}  # partition → (when its first message came, messages)

    def begin(self, consumer, partitions):
        # Said here, not by auto.offset.reset: that would also pass over what was deleted before it was loaded.
        partitions = consumer.committed(partitions, timeout=30)
        for partition in partitions:
            if partition.error:
                raise KafkaException(partition.error)
            if partition.offset < 0:  # nothing was ever committed
                partition.offset = OFFSET_BEGINNING
        consumer.assign(partitions)

    def forget(self, _consumer, partitions):
        # Not committed: who reads these partitions next begins with it.
        for partition in partitions:
            self.batches.pop(partition.partition, None)

    def run(self):
        self.consumer.subscribe([self.options.topic], on_assign=self.begin, on_revoke=self.forget, on_lost=self.forget)
        while True:
            # One at a time: with consume() messages of a partition that has just been taken away could come after forget().
            message = self.consumer.poll(0.2)
            if message is not None and message.error():
                if not message.error().retriable():
                    raise KafkaException(message.error())
                print(message.error(), file=sys.stderr)
            elif message is not None:
                _, messages = self.batches.setdefault(message.partition(), (time.monotonic(), []))
                messages.append(message)
                if len(messages) == self.options.batch:
                    self.load(message.partition())
            too_old = time.monotonic() - self.options.linger
            due = [partition for partition, (began, _) in self.batches.items() if began <= too_old]
            if due:
                self.load(due[0])  # one between two polls, of which the group must not miss too many

    def load(self, partition):
        _, messages = self.batches.pop(partition)
        first, last = messages[0].offset(), messages[-1].offset()
        # Of this batch alone: a batch that is put together anew after a restart may end elsewhere, and then has another key.
        self.warehouse.accept(f"{self.options.topic}/{partition}/{first}-{last}", [to_row(message) for message in messages])
        try:
            committed = self.consumer.commit(offsets=[TopicPartition(self.options.topic, partition, last + 1)], asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in TAKEN_AWAY:
                raise
            print(f"partition {partition} was taken away; who has it now sends {first}-{last} again", file=sys.stderr)
            return
        for part in committed:
            if part.error:
                raise KafkaException(part.error)
        print(f"partition {partition}: {first}-{last}, {len(messages)} rows")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--url", required=True, help="where batches are posted; WAREHOUSE_TOKEN, if set, goes along as a bearer token")
    parser.add_argument("--group", default="warehouse")
    parser.add_argument("--batch", type=int, default=500, help="rows of a full batch")
    parser.add_argument("--linger", type=float, default=5, help="seconds after which a batch goes out though it is not full")
    parser.add_argument("--give-up", type=float, default=120, help="seconds after which to end if the warehouse takes nothing")
    parser.add_argument("--set", dest="properties", action="append", default=[], metavar="KEY=VALUE", help="of librdkafka, such as security")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # in order, so that others take the partitions over at once

    consumer = Consumer({
        **dict(each.split("=", 1) for each in options.properties),
        "bootstrap.servers": options.bootstrap,
        "group.id": options.group,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",  # what the topic holds no more is said and not passed over
        "max.poll.interval.ms": int(2_000 * options.give_up) + 60_000,  # it does not poll while the warehouse does not answer
    })
    try:
        Loader(consumer, Warehouse(options.url, os.environ.get("WAREHOUSE_TOKEN"), options.give_up), options).run()
    except KeyboardInterrupt:
        pass
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
