"""The demo's servers listen where the settings say, or, where that is busy or not here, at free ports."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from tillstream.demo.addresses import choose, environment
from tillstream.local.launch import free_port, is_free
from tillstream.settings import Settings


@pytest.fixture
def hold():
    """Gives a function that occupies a port of loopback and says which."""
    with ExitStack() as stack:

        def take():
            held = stack.enter_context(socket.socket())
            held.bind(("127.0.0.1", 0))
            held.listen()
            return held.getsockname()[1]

        yield take


def given(kafka, clickhouse, metrics, **others):
    return Settings(
        kafka_url=f"kafka://{kafka}", clickhouse_url=f"http://{clickhouse}/shop", metrics_bind=metrics, **others
    )


def test_free_addresses_are_taken_as_they_are():
    ports = [free_port() for _ in range(3)]
    wanted = given(*(f"127.0.0.1:{port}" for port in ports))
    settings, addresses = choose(wanted)
    assert [address.port for address in addresses] == ports
    assert all(address.why == "" for address in addresses)
    assert settings.kafka_url == wanted.kafka_url
    assert settings.clickhouse_url == wanted.clickhouse_url


def test_busy_addresses_are_replaced_by_free_ones_and_named(hold):
    ports = [hold() for _ in range(3)]
    settings, addresses = choose(given(*(f"127.0.0.1:{port}" for port in ports)))
    assert [address.usual for address in addresses] == [f"127.0.0.1:{port}" for port in ports]
    assert {address.why for address in addresses} == {"is busy"}
    chosen = [address.port for address in addresses]
    assert len(set(chosen)) == 3
    assert all(is_free("127.0.0.1", port) for port in chosen)
    assert settings.kafka_servers == [f"127.0.0.1:{chosen[0]}"]
    assert settings.clickhouse_url.get_secret_value() == f"http://127.0.0.1:{chosen[1]}/shop"
    assert settings.metrics_bind == f"127.0.0.1:{chosen[2]}"


def test_servers_elsewhere_are_left_alone():
    wanted = given("kafka.example:9092,b:9092", "user:pw@db.example:8443", "0.0.0.0:9100", kafka_security="SASL_SSL")
    settings, addresses = choose(wanted)
    assert [address.host for address in addresses] == ["127.0.0.1"] * 3
    assert {address.why for address in addresses} == {"is not this machine's"}
    assert "pw" not in "".join(address.usual + address.value for address in addresses)
    assert settings.kafka_security == "PLAINTEXT"


def test_one_port_wanted_twice_is_given_once():
    port = free_port()
    _, addresses = choose(given(*[f"127.0.0.1:{port}"] * 3))
    assert len({address.port for address in addresses}) == 3


def test_other_commands_are_told_only_what_is_not_usual(hold):
    _, addresses = choose(given(f"127.0.0.1:{hold()}", f"127.0.0.1:{hold()}", f"127.0.0.1:{hold()}"))
    assert environment(addresses) == {
        "TILLSTREAM_KAFKA_URL": f"kafka://127.0.0.1:{addresses[0].port}",
        "TILLSTREAM_CLICKHOUSE_URL": f"http://127.0.0.1:{addresses[1].port}/shop",
    }
    usual = [address._replace(value=value) for address, value in zip(addresses, USUAL, strict=True)]
    assert environment(usual) == {}


USUAL = ["kafka://127.0.0.1:9092", "http://127.0.0.1:8123/tillstream", "127.0.0.1:9100"]
