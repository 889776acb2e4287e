"""Endpoints in the settings' file: what is read, what is refused with which sentence, and that no secret shows."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from schemas.errors import Stop
from tests.unit.sinks.webhooks.samples import OTHER, SECRET
from tillstream.settings import PREFIX, load
from tillstream.webhooks.config import dashboard_of, sender_config

GOOD = f'url = "https://erp.example/hook"\nsecret = "{SECRET}"\n'


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    import os

    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def written(tmp_path, *tables):
    text = "".join(f"[[webhooks]]\n{table}\n" for table in tables)
    (tmp_path / "tillstream.toml").write_text(text, "utf-8")
    return load()


def test_an_endpoint_needs_a_url_and_a_secret_and_has_defaults_for_the_rest(tmp_path):
    (one,) = sender_config(written(tmp_path, GOOD)).endpoints
    assert (one.url, one.secrets) == ("https://erp.example/hook", (SECRET,))
    assert (one.events, one.stores) == ({"restock.raised", "restock.resolved"}, frozenset())
    assert (one.severity, one.digest, one.concurrency) == ("info", 0, 16)


def test_every_field_reaches_the_sender(tmp_path):
    (tmp_path / "secrets").write_text(f"{OTHER}\n", "utf-8")
    found = written(
        tmp_path,
        GOOD + 'name = "erp"\nsecret_file = "secrets"\nevents = ["restock.raised"]\nstores = ["12"]\n'
        'severity = "critical"\ndigest = "15m"\nconcurrency = 9\n',
    )
    (one,) = sender_config(found).endpoints
    assert (one.name, one.secrets, one.events, one.stores) == ("erp", (SECRET, OTHER), {"restock.raised"}, {"12"})
    assert (one.severity, one.digest, one.concurrency) == ("critical", timedelta(minutes=15) // timedelta.resolution, 9)


def test_without_a_name_it_is_called_by_host_and_hash_since_a_path_may_be_a_secret(tmp_path):
    first, second = sender_config(written(tmp_path, GOOD, GOOD.replace("/hook", "/token"))).endpoints
    assert first.name.startswith("erp.example-")
    assert first.name != second.name
    assert "token" not in second.name


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (GOOD.replace("https", "ftp"), "webhooks[1].url must begin with https:// or http://"),
        (GOOD.replace("erp.example", "user:pw@erp.example"), "webhooks[1].url must hold no user and password"),
        (GOOD.replace("erp.example", "erp.example:x"), "webhooks[1].url is no URL"),
        (f'secret = "{SECRET}"', "webhooks[1].url is missing"),
        ('url = "https://h/"', "webhooks[1] has neither secret nor secret_file"),
        ('url = "https://h/"\nsecret = "hush"', "webhooks[1].secret must be whsec_ and 24 to 64 bytes in base64"),
        ('url = "https://h/"\nsecret = "whsec_aHVzaA=="', "webhooks[1].secret must be whsec_ and 24 to 64 bytes"),
        ('url = "https://h/"\nsecret = []', "has neither secret nor secret_file"),
        ('url = "https://h/"\nsecret_file = "none"', "webhooks[1].secret_file none cannot be read"),
        (GOOD + 'severity = "high"', "webhooks[1].severity is wrong"),
        (GOOD + 'events = ["restock.test"]', "webhooks[1].events[1] is wrong"),
        (GOOD + 'digest = "soon"', "webhooks[1].digest"),
        (GOOD + 'digest = "-5m"', "webhooks[1].digest must not be negative"),
        (GOOD + "concurrency = 0", "webhooks[1].concurrency is wrong"),
        (GOOD + 'name = "a b"', "webhooks[1].name is wrong"),
        (GOOD + 'event = ["restock.raised"]', "webhooks[1].event is no field of it (did you mean events?)"),
    ],
)
def test_a_faulty_endpoint_is_a_sentence_that_names_the_field(tmp_path, table, said):
    with pytest.raises(Stop) as stopped:
        written(tmp_path, table)
    assert said in stopped.value.sentence
    assert "hush" not in str(stopped.value)
    assert "user:pw" not in str(stopped.value)


def test_the_second_endpoint_is_named_as_the_second_and_names_must_differ(tmp_path):
    with pytest.raises(Stop, match=r"webhooks\[2\]\.secret"):
        written(tmp_path, GOOD, 'url = "https://h/"\nsecret = "x"')
    with pytest.raises(Stop, match=r"webhooks two endpoints are called"):
        written(tmp_path, GOOD, GOOD)


def test_secrets_never_show(tmp_path):
    secret = "whsec_" + base64.b64encode(b"hush-hush-hush-hush-hush").decode()
    found = written(tmp_path, f'url = "https://h/t0k3n"\nsecret = "{secret}"')
    told = repr(found) + str(found) + repr(sender_config(found)) + repr(found.webhooks[0])
    assert secret not in told
    assert "t0k3n" not in told


@pytest.mark.parametrize(
    ("bind", "link"), [("127.0.0.1:8080", "http://127.0.0.1:8080/?alert="), ("0.0.0.0:8080", ""), ("[::]:8080", "")]
)
def test_an_alert_links_to_the_dashboard_where_the_settings_say_where_it_is(bind, link):
    assert dashboard_of(load(web_bind=bind)) == link
