"""Settings: where they come from, what is refused with which sentence, and that no secret shows."""

from __future__ import annotations

import ssl
from datetime import timedelta

import pytest

from schemas.errors import Stop
from tillstream import ch, kafka
from tillstream.local.launch import settings_environment
from tillstream.roles import worker_config
from tillstream.settings import PREFIX, Settings, load
from tillstream.units import parse_duration, parse_size


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    import os

    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5m", 300),
        ("96h", 345_600),
        ("400d", 34_560_000),
        ("500ms", 0.5),
        ("10", 10),
        ("0", 0),
        ("-1", -1),
        ("1.5h", 5400),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5 minutes", "m", "1w", "5m5s"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="no duration"):
        parse_duration(text)


@pytest.mark.parametrize(("text", "size"), [("2GiB", 2**31), ("512MiB", 2**29), ("1000", 1000), ("1.5 KiB", 1536)])
def test_sizes(text, size):
    assert parse_size(text) == size


def test_the_contracts_defaults():
    found = load()
    assert (found.kafka_url, found.clickhouse_url.get_secret_value()) == (
        "kafka://127.0.0.1:9092", "http://127.0.0.1:8123/tillstream",
    )  # fmt: skip
    assert (found.web_bind, found.metrics_bind) == ("127.0.0.1:8080", "127.0.0.1:9100")
    assert (found.window, found.grace, found.max_skew) == (
        timedelta(minutes=5), timedelta(hours=96), timedelta(minutes=10),
    )  # fmt: skip
    assert (found.partitions, found.retention_ms, found.keep_lines) == (8, -1, timedelta(days=400))
    assert (found.embedded_max, found.kafka_security, found.topic_prefix) == (2 * 1024**3, "PLAINTEXT", "")
    assert (found.webhook_allow_private, found.max_alert_age) == (False, timedelta(hours=24))


def test_environment_goes_before_file_and_file_before_default(monkeypatch, tmp_path):
    (tmp_path / "tillstream.toml").write_text('window = "15m"\ngrace = "1h"\n[[policy]]\nsku = "a"\n', "utf-8")
    monkeypatch.setenv("TILLSTREAM_GRACE", "2h")
    found = load()
    assert (found.window, found.grace, found.partitions) == (timedelta(minutes=15), timedelta(hours=2), 8)
    assert found.policy == [{"sku": "a"}]


def test_another_file_can_be_named(monkeypatch, tmp_path):
    file = tmp_path / "other.toml"
    file.write_text("partitions = 3\n", "utf-8")
    monkeypatch.setenv("TILLSTREAM_CONFIG", str(file))
    assert load().partitions == 3
    monkeypatch.setenv("TILLSTREAM_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(Stop, match="which is no file"):
        load()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TILLSTREAM_WINDOWS", "5m", "Did you mean TILLSTREAM_WINDOW?"),
        ("TILLSTREAM_KAFKAURL", "x", "Did you mean TILLSTREAM_KAFKA_URL?"),
        ("TILLSTREAM_WINDOW", "7m", "divide an hour"),
        ("TILLSTREAM_WINDOW", "2h", "divide an hour"),
        ("TILLSTREAM_WINDOW", "500ms", "divide an hour"),
        ("TILLSTREAM_WINDOW", "soon", "no duration"),
        ("TILLSTREAM_GRACE", "-1h", "not negative"),
        ("TILLSTREAM_PARTITIONS", "0", "greater than or equal to 1"),
        ("TILLSTREAM_KAFKA_URL", "127.0.0.1:9092", "must start with kafka://"),
        ("TILLSTREAM_KAFKA_SECURITY", "TLS", "PLAINTEXT"),
        ("TILLSTREAM_TOPIC_PREFIX", "a b", "pattern"),
        ("TILLSTREAM_EMBEDDED_MAX", "lots", "no size"),
    ],
)
def test_a_faulty_setting_is_a_sentence_that_names_it(monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)
    with pytest.raises(Stop) as stopped:
        load()
    assert name in stopped.value.sentence
    assert said in f"{stopped.value.sentence} {stopped.value.hint}"


def test_an_unknown_name_in_the_file_is_refused_with_the_nearest(tmp_path):
    (tmp_path / "tillstream.toml").write_text('windw = "5m"\n', "utf-8")
    with pytest.raises(Stop, match=r"windw is no setting \(did you mean window\?\)"):
        load()


def test_a_file_that_is_no_toml_is_named(tmp_path):
    (tmp_path / "tillstream.toml").write_text("window = \n", "utf-8")
    with pytest.raises(Stop, match=r"tillstream.toml"):
        load()


def test_secrets_come_from_files_and_never_show(monkeypatch, tmp_path):
    (tmp_path / "password").write_text("hush\n", "utf-8")
    (tmp_path / "url").write_text("https://u:hu%40sh@ch.example:8443/db\n", "utf-8")
    monkeypatch.setenv("TILLSTREAM_KAFKA_SASL_PASSWORD_FILE", str(tmp_path / "password"))
    monkeypatch.setenv("TILLSTREAM_CLICKHOUSE_URL_FILE", str(tmp_path / "url"))
    found = load()
    assert found.kafka_sasl_password.get_secret_value() == "hush"
    assert ch.client_options(found) == {
        "host": "ch.example", "port": 8443, "secure": True, "username": "u", "password": "hu@sh", "database": "db",
    }  # fmt: skip
    assert "hush" not in repr(found) + str(found)
    assert "hu%40sh" not in repr(found) + str(found)
    monkeypatch.setenv("TILLSTREAM_KAFKA_SASL_PASSWORD_FILE", str(tmp_path / "none"))
    with pytest.raises(Stop, match="TILLSTREAM_KAFKA_SASL_PASSWORD_FILE: No such file"):
        load()


def test_a_secret_in_a_faulty_setting_is_not_repeated(monkeypatch):
    monkeypatch.setenv("TILLSTREAM_CLICKHOUSE_URL", "http://u:hush@h/db")
    monkeypatch.setenv("TILLSTREAM_KAFKA_SASL_PASSWORD", "hush")
    monkeypatch.setenv("TILLSTREAM_WINDOW", "7m")
    with pytest.raises(Stop) as stopped:
        load()
    assert "hush" not in str(stopped.value)


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("kafka://a:1,b:2", ["a:1", "b:2"]),
        ("kafka://broker", ["broker:9092"]),
        ("kafka://a:1/", ["a:1"]),
    ],
)
def test_brokers_are_named_with_their_ports(url, servers):
    assert Settings(kafka_url=url).kafka_servers == servers


@pytest.mark.parametrize(
    ("security", "has_tls", "has_login"),
    [("PLAINTEXT", False, False), ("SSL", True, False), ("SASL_PLAINTEXT", False, True), ("SASL_SSL", True, True)],
)
def test_kafkas_security_reaches_every_client(security, has_tls, has_login):
    found = Settings(
        kafka_security=security, kafka_sasl_mechanism="SCRAM-SHA-256", kafka_sasl_username="u", kafka_sasl_password="p"
    )
    options = kafka.client_options(found)
    assert options["security_protocol"] == security
    assert isinstance(options.get("ssl_context"), ssl.SSLContext) == has_tls
    assert (options.get("sasl_plain_password") == "p") == has_login
    worker = worker_config(found, 1)
    assert (worker.ssl_context is not None) == has_tls
    assert worker.sasl == (("SCRAM-SHA-256", "u", "p") if has_login else None)


def test_a_child_gets_the_same_settings_by_its_environment(monkeypatch):
    found = Settings(
        kafka_url="kafka://a:1", clickhouse_url="http://u:p@h:1/db", grace=timedelta(hours=7), topic_prefix="x.",
        keep_lines=timedelta(0), retention=timedelta(seconds=-1),
    )  # fmt: skip
    for name, value in settings_environment(found).items():
        monkeypatch.setenv(name, value)
    assert load() == found
