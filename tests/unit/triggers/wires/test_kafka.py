"""The broker that comes with librdkafka for tests, a real RunEngine, our consumer, the inbox."""

import pickle
import threading

import msgpack
import pytest
from confluent_kafka import Producer

from infra.simulator.bluesky import PACK, Station, small_plan
from triggers import wires

TOPIC = "wired.bluesky.runengine.documents"


class Broker:
    """A broker inside of a producer's library, and a publisher like that of bluesky-kafka."""

    def __init__(self):
        self.producer = Producer({"test.mock.num.brokers": 1})
        brokers = self.producer.list_topics(timeout=10).brokers.values()
        self.servers = [f"{broker.host}:{broker.port}" for broker in brokers]
        self.send(PACK(("launch", {})))  # makes the topic

    def __call__(self, name, document):
        self.send(PACK((name, document)))

    def send(self, value):
        self.producer.produce(TOPIC, key="one key for all", value=value)
        self.producer.flush(10)


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def wires_of(listen, broker):
    return lambda: listen(kafka={"servers": broker.servers, "topic": TOPIC})


def test_a_run_is_reported_with_its_end(broker, wires_of, heard, raw, wait_for):
    wires_of()
    uid = Station(raw, (broker,)).measure(small_plan("tooth", 0.0))
    (row,) = wait_for(heard.ended)
    assert (row.source, row.key, row.paths) == ("kafka", uid, [str(raw / "tooth.nxs")])
    assert row.payload["expected_frames"] == 121
    wait_for(lambda: heard.status("kafka").arrivals == 1)


def test_a_pickle_is_refused_and_counted(broker, wires_of, heard, wait_for):
    wires_of()
    for value in (pickle.dumps(("start", {"uid": "a"})), b"nothing", msgpack.packb(["start"])):
        broker.send(value)
    wait_for(lambda: heard.status("kafka").refused == 3)
    assert heard.rows() == []


def test_a_broker_that_is_not_there_is_told(listen, heard, wait_for):
    listen("unreachable", kafka={"servers": ["127.0.0.1:9"], "topic": TOPIC})
    wait_for(lambda: "127.0.0.1:9" in (heard.status("kafka").note or ""))


def test_what_came_while_nobody_listened_is_read_later(
    broker, published, heard, raw, wait_for, catalog_engine
):
    beamline = published(kafka={"servers": broker.servers, "topic": TOPIC})
    station = Station(raw, (broker,))
    for count, name in enumerate(["first", "second"], start=1):
        if count == 2:
            station.measure(small_plan(name, 0.0))  # nobody listens
        stop = threading.Event()
        threads = wires.start([beamline], catalog_engine, stop)
        wait_for(lambda: heard.status("kafka").state == "listening")
        if count == 1:
            station.measure(small_plan(name, 0.0))
        wait_for(lambda count=count: len(heard.ended()) == count)
        stop.set()
        for thread in threads:
            thread.join(15)
            assert not thread.is_alive()
