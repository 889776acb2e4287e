"""`tillstream webhook`, and the sink role with endpoints: an alert in Kafka, a receiver, the log, a repeat."""

from __future__ import annotations

import asyncio
import json
import re
import time

import pytest

from schemas.topics import webhooks_group
from tests.integration.harness import roles
from tests.integration.programs import program
from tests.integration.webhooks import fresh, publish
from tests.unit.sinks.webhooks.samples import OTHER, SECRET
from tillstream.groups import wait_until_assigned

pytestmark = pytest.mark.integration


@pytest.fixture
def endpoints(tmp_path, monkeypatch):
    """Gives a function: write endpoints into the settings' file, which every command and role reads."""
    file = tmp_path / "tillstream.toml"
    file.write_text("", "utf-8")
    monkeypatch.setenv("TILLSTREAM_CONFIG", str(file))

    def write(**urls):
        tables = [f'[[webhooks]]\nname = "{name}"\nurl = "{url}"\nsecret = "{SECRET}"\n' for name, url in urls.items()]
        file.write_text("\n".join(tables), "utf-8")

    return write


@pytest.fixture
def listening(environment, migrated, tmp_path):
    """Gives a function: `tillstream webhook listen` as a process, and where it listens."""
    secret = tmp_path / "secret"
    secret.write_text(f"{OTHER}\n{SECRET}\n", "utf-8")

    def start(*argv):
        return program(["webhook", "listen", "--port", "0", "--secret-file", str(secret), *argv], environment(migrated))

    return start


def url_of(running):
    running.says("listening at")
    return re.search(r"http://\S+/", "\n".join(running.err))[0]


def allowing(settings):
    return settings.model_copy(update={"webhook_allow_private": True})


def test_a_test_tells_what_came_back_and_the_receiver_verifies_it(migrated, command, endpoints, listening):
    with listening("--json", "--count", "2") as receiver:
        endpoints(erp=url_of(receiver), dead="http://127.0.0.1:9/token")
        refused = json.loads(command(migrated, "webhook", "test", "erp", "--json", code=1).out)
        assert "no public address" in refused[0]["reason"]
        done = command(allowing(migrated), "webhook", "test", "--json", code=1)
        erp, dead = json.loads(done.out)
        assert (erp["endpoint"], erp["delivered"], erp["status"]) == ("erp", True, 204)
        assert (dead["delivered"], dead["status"]) == (False, None)
        assert "token" not in done.out + done.err
        assert "delivered" in command(allowing(migrated), "webhook", "test", "erp").out
        assert receiver.ends() == 0
    first, second = [json.loads(line) for line in receiver.out]
    assert (first["verified"], first["type"], first["answered"]) == (True, "restock.test", 204)
    assert first["data"]["store_id"] == "test-store"
    assert first["webhook_id"] == erp["webhook_id"] != second["webhook_id"]


def test_a_receiver_with_another_secret_says_so_and_one_without_makes_one_up(migrated, command, endpoints, environment):
    with program(["webhook", "listen", "--port", "0"], environment(migrated)) as receiver:
        url = url_of(receiver)
        receiver.says("secret = ")
        assert re.search(r'\n\[\[webhooks\]\]\nurl = "http.*"\nsecret = "whsec_', "\n".join(receiver.err))
        endpoints(erp=url)
        assert "401" in command(allowing(migrated), "webhook", "test", code=1).out
        receiver.says("NOT VERIFIED (No matching signature found)", receiver.out)


def test_wrong_calls_are_sentences(migrated, command, endpoints, tmp_path):
    assert "no endpoints" in command(migrated, "webhook", "test", code=1).err
    endpoints(erp="http://127.0.0.1:9/")
    assert "There are: erp." in command(migrated, "webhook", "test", "nosuch", code=1).err
    assert "No webhook has the id" in command(migrated, "webhook", "replay", "msg_x", code=1).err
    assert "No webhook is lost" in command(migrated, "webhook", "log", "--state", "lost", code=1).err
    assert "no webhooks of that kind" in command(migrated, "webhook", "log", "--state", "failed").out
    assert "this machine alone" in command(migrated, "webhook", "listen", "--host", "0.0.0.0", code=1).err
    (tmp_path / "bad").write_text("hush", "utf-8")
    told = command(migrated, "webhook", "listen", "--secret-file", str(tmp_path / "bad"), code=1).err
    assert "must be whsec_" in told
    assert "hush" not in told


def test_the_sink_role_sends_what_is_lost_is_in_the_log_and_is_sent_again(
    migrated, command, endpoints, environment, listening, tmp_path
):
    settings = allowing(migrated)

    def log(*argv):
        return json.loads(command(settings, "webhook", "log", "--json", *argv).out)

    def stand(wanted):
        deadline = time.monotonic() + 60
        while sorted(one["state"] for one in log()["deliveries"]) != wanted:
            assert time.monotonic() < deadline, log()
            time.sleep(0.2)  # ClickHouse has nobody to tell
        return log()

    with listening("--json") as well, listening("--json", "--status", "410") as gone:
        endpoints(erp=url_of(well), shop=url_of(gone))
        output = (tmp_path / "sink.log").open("wb")
        with roles(environment, settings, "sink", stderr=output):
            asyncio.run(assigned(settings))
            asyncio.run(publish(settings, fresh(1), fresh(2)))
            found = stand(["delivered", "delivered", "disabled", "disabled"])
            assert found["endpoints"][0]["endpoint"] == "shop"
            assert "shop is disabled" in command(settings, "webhook", "log").err
            erp, shop = json.loads(command(settings, "status", "--json").out)["webhooks"]
            assert (erp["endpoint"], erp["configured"], erp["state"], erp["since"]) == ("erp", True, "ok", None)
            assert (shop["state"], shop["since"]) == ("disabled", found["endpoints"][0]["since"])
            assert "410" in shop["reason"]
            assert [erp["waiting"], shop["waiting"]] == [0, 0]
            asked = command(settings, "webhook", "replay", "--json")
            assert len(json.loads(asked.out)["requested"]) == 2
            assert "shop is disabled" in asked.err
            gone.ends(2)
            with listening("--json") as mended:
                # The name is what deliveries are known by: the URL may change.
                endpoints(erp=url_of(well), shop=url_of(mended))
                stand(["delivered", "delivered", "disabled", "disabled"])
                assert command(settings, "webhook", "test", "shop").out
        with listening("--json") as mended:
            endpoints(erp=url_of(well), shop=url_of(mended))
            with roles(environment, settings, "sink", stderr=output):
                asyncio.run(assigned(settings))
                command(settings, "webhook", "replay", "--endpoint", "shop")
                stand(["delivered"] * 4)
                (again,) = [one["webhook_id"] for one in log("--endpoint", "shop", "--limit", "1")["deliveries"]]
                command(settings, "webhook", "replay", again)
                deadline = time.monotonic() + 30
                while len(mended.out) < 3:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)  # its output has nobody to tell
    told = [json.loads(line) for line in mended.out]
    assert all(one["verified"] for one in told)
    assert len({one["webhook_id"] for one in told}) == 2
    assert {json.loads(line)["data"]["alert_id"] for line in well.out} == {"a1", "a2"}
    said = (tmp_path / "sink.log").read_text("utf-8")
    assert "endpoint shop is disabled: answered 410" in said
    assert SECRET not in said
    assert "Traceback" not in said


async def assigned(settings):
    async with asyncio.timeout(60):
        await wait_until_assigned(settings, [webhooks_group(settings.topic_prefix)])
