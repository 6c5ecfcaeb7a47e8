"""Bluesky documents from Kafka, as bluesky-kafka writes them: msgpack of (name, document).

Its keys only keep messages in order and tell nothing. What has been read is marked as read once
it stands in the inbox, so documents that came while nobody listened are not lost here.
"""

from __future__ import annotations

import logging
import threading
import time

from triggers.beamline import Beamline
from triggers.documents import Documents
from triggers.packed import pair
from triggers.reporter import Reporter
from triggers.reports import RefusedError
from triggers.rules import KafkaTrigger

try:
    from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
except ImportError as error:
    raise RuntimeError(
        "triggers.kafka needs the package confluent-kafka: install dayseye with its extra 'kafka'"
    ) from error

log = logging.getLogger(__name__)

SOURCE = "kafka"
WAIT_SECONDS = 0.5
COMMIT_SECONDS = 1.0
ANSWER_SECONDS = 10.0


def listen(beamline: Beamline, reporter: Reporter, stop: threading.Event) -> None:
    """Report the runs of a beamline until told to stop."""
    trigger = beamline.triggers.kafka
    if trigger is None:
        return
    listener = _Listener(beamline, trigger, reporter)
    try:
        listener.run(stop)
    finally:
        listener.close()


class _Listener:
    def __init__(self, beamline: Beamline, trigger: KafkaTrigger, reporter: Reporter) -> None:
        self._beamline, self._trigger, self._reporter = beamline, trigger, reporter
        self._documents = Documents(trigger.paths)
        self._has_read, self._committed_at = False, time.monotonic()
        reporter.state(beamline, SOURCE, "unreachable", f"No answer of {self._servers} yet.")
        self._consumer = Consumer(
            {
                "bootstrap.servers": self._servers,
                "group.id": trigger.group,
                "client.id": f"dayseye-{beamline.id}",
                "enable.auto.commit": False,
                "auto.offset.reset": "latest",
                "allow.auto.create.topics": False,
                "error_cb": self._note_error,
                "reconnect.backoff.ms": 500,
                "log_level": 3,
            },
            logger=log,
        )

    @property
    def _servers(self) -> str:
        return ",".join(self._trigger.servers)

    def run(self, stop: threading.Event) -> None:
        # not subscribed: who reads a topic alone need not wait for a dead self to leave its group
        self._consumer.assign(self._places())
        self._reporter.state(self._beamline, SOURCE, "listening")
        while not stop.is_set():
            message = self._consumer.poll(WAIT_SECONDS)
            if message is not None and message.error() is None:
                self._take(message)
            elif message is not None:
                self._reporter.state(
                    self._beamline, SOURCE, "unreachable", f"Kafka says: {message.error()}"
                )
            self._commit()

    def close(self) -> None:
        """Leave the group, with what was read marked if it stands in the inbox."""
        self._committed_at = 0.0
        self._commit()
        self._consumer.close()

    def _take(self, message: Message) -> None:
        self._has_read = True
        self._reporter.state(self._beamline, SOURCE, "listening")
        try:
            report = self._documents.take(*pair(message.value() or b""))
        except RefusedError as error:
            sender = f"{self._servers} {self._trigger.topic}"
            self._reporter.refused(self._beamline, SOURCE, sender, error)
            return
        if report is None:
            self._reporter.heard(self._beamline, SOURCE)
        else:
            self._reporter.report(self._beamline, SOURCE, report)

    def _commit(self) -> None:
        is_due = time.monotonic() > self._committed_at + COMMIT_SECONDS
        if not (self._has_read and is_due and self._reporter.is_empty()):
            return
        self._committed_at = time.monotonic()
        try:
            self._consumer.commit(asynchronous=False)
        except KafkaException as error:  # it is read again then, which does nothing more
            self._reporter.state(self._beamline, SOURCE, "unreachable", f"Kafka says: {error}")
        else:
            self._has_read = False

    def _places(self) -> list[TopicPartition]:
        """Begin where we left off; where we never were, at what comes from now on."""
        topic = self._consumer.list_topics(self._trigger.topic, timeout=ANSWER_SECONDS).topics[
            self._trigger.topic
        ]
        if topic.error is not None:
            raise KafkaException(topic.error)
        all_of_it = [TopicPartition(self._trigger.topic, number) for number in topic.partitions]
        places = self._consumer.committed(all_of_it, timeout=ANSWER_SECONDS)
        for each in places:
            if each.offset < 0:
                _, each.offset = self._consumer.get_watermark_offsets(each, timeout=ANSWER_SECONDS)
        return places

    def _note_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            note = f"None of {self._servers} answers."
            self._reporter.state(self._beamline, SOURCE, "unreachable", note)
