"""What goes over the wire."""

from __future__ import annotations

import json
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from schemas.alert import Product
from sinks.webhooks.addresses import is_public
from sinks.webhooks.body import LARGEST, body_of, headers_of
from tests.unit.sinks.webhooks.samples import OTHER, SECRET, alert, endpoint


def test_the_body_is_a_function_of_the_alert():
    body = json.loads(body_of("restock.raised", alert(), "http://d/?alert="))
    assert (body["type"], body["timestamp"]) == ("restock.raised", "2026-11-23T17:05:08Z")
    assert (body["data"]["sku"], body["data"]["dashboard"]) == ("7038010055720", "http://d/?alert=a1")
    assert body_of("restock.raised", alert(), "x") == body_of("restock.raised", alert(), "x")
    assert json.loads(body_of("restock.raised", alert(changed_at=""), ""))["data"]["dashboard"] == ""


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"figures": {f"f{n}": 1.0 for n in range(4000)}}, {"reason": "why", "name": "Milk"}),
        ({"reason": "w" * LARGEST}, {"reason": "", "name": "Milk"}),
        ({"product": Product(name="m" * LARGEST)}, {"reason": "", "name": ""}),
    ],
)
def test_a_body_stays_below_20_kb_by_what_can_be_asked_for(fields, kept):
    body = body_of("restock.raised", alert(**{"reason": "why", **fields}), "")
    assert len(body) < LARGEST
    data = json.loads(body)["data"]
    assert (data["figures"], data["reason"], data["product"]["name"]) == ({}, kept["reason"], kept["name"])
    assert data["on_hand"] == "3"


def test_every_secret_signs_so_that_receivers_can_change_over_one_after_the_other():
    body = body_of("restock.raised", alert(reason="æøå"), "")
    headers = headers_of("msg_1", body, time.time_ns() // 1000, (SECRET, OTHER))
    assert headers["webhook-id"] == "msg_1"
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (SECRET, OTHER):
        Webhook(secret).verify(body, headers)
    for secret, text in (("whsec_" + "eA==" * 8, body), (SECRET, body + b" ")):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(text, headers)


def test_neither_url_nor_secret_is_in_the_text_of_an_endpoint():
    text = repr(endpoint(url="https://h/token"))
    assert "token" not in text
    assert SECRET not in text


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2001:4860:4860::8888", True), ("64:ff9b::808:808", True), ("2002:808:808::1", True),
        ("::ffff:8.8.8.8", True), ("127.0.0.1", False), ("10.1.2.3", False), ("172.16.0.1", False),
        ("192.168.1.1", False), ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False),
        ("224.0.0.1", False), ("240.0.0.1", False), ("255.255.255.255", False), ("192.0.2.1", False), ("::1", False),
        ("::", False), ("fd00::1", False), ("fe80::1%eth0", False), ("ff0e::1", False), ("::ffff:10.0.0.1", False),
        ("::7f00:1", False), ("64:ff9b::7f00:1", False), ("64:ff9b::a9fe:a9fe", False), ("64:ff9b:1::808:808", False),
        ("2002:7f00:1::", False), ("2002:a00:1::1", False), ("2001::1", False), ("fec0::1", False), ("host", False),
        ("", False),
    ],
)  # fmt: skip
def test_only_addresses_of_the_public_internet_are_dialled(address, public):
    assert is_public(address) is public
