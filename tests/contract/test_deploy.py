"""The Dockerfile and docker-compose.yml, as far as they can be judged without a container engine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from tillstream.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


def test_the_compose_file_follows_the_compose_specification():
    schema = json.loads((ROOT / "tests/data/compose-spec.json").read_text("utf-8"))
    jsonschema.validators.validator_for(schema)(schema).validate(COMPOSE)


def test_the_schema_would_refuse_a_misspelt_key():
    schema = json.loads((ROOT / "tests/data/compose-spec.json").read_text("utf-8"))
    wrong = {"services": {"kafka": {"image": "x", "helthcheck": {}}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validators.validator_for(schema)(schema).validate(wrong)


def test_every_tillstream_variable_is_a_setting():
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name, service in SERVICES.items():
        given = {key for key in service.get("environment", {}) if key.startswith(PREFIX)}
        assert given <= known, name
    assert set(re.findall(PREFIX + r"[A-Z_]+", DOCKERFILE)) <= known


def test_ports_are_published_on_loopback_only():
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name


def test_images_are_pinned_to_a_version():
    for name, service in SERVICES.items():
        assert re.search(r":(\d+\.\d+|local)", service["image"]), name


def test_what_is_waited_for_can_become_healthy_or_complete():
    for name, service in SERVICES.items():
        for other, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], f"{name} waits for {other}"
            else:
                assert wait["condition"] == "service_completed_successfully"
                assert SERVICES[other]["restart"].startswith("on-failure"), f"{name} waits for {other}"


def test_roles_wait_for_the_migration():
    for name in ["worker", "sink"]:
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_data_of_the_servers_is_kept_in_volumes():
    for name in ["kafka", "clickhouse"]:
        assert SERVICES[name]["volumes"][0].startswith(f"{name}:/var/lib/{name}")
        assert name in COMPOSE["volumes"]


def test_the_image_runs_without_root_and_installs_by_hash():
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == ["10001"]
    assert "--require-hashes --no-deps -r deploy/requirements.lock" in DOCKERFILE


def test_all_that_the_image_copies_exists_and_is_sent_to_the_builder():
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists(), source
            assert source in sent, source
