"""A receiver of the webhooks of real roles, and what it must have been sent, and no more."""

from __future__ import annotations

from collections import Counter

from sinks.webhooks.ids import webhook_id
from tests.integration.webhooks import until_stand
from tests.unit.sinks.webhooks.samples import SECRET

NAME = "erp"
EVENTS = {"raised": "restock.raised", "resolved": "restock.resolved"}
# The load's receipts are of the past.
SETTINGS = {"webhook_allow_private": True, "max_alert_age": "3650d"}


def configured(settings, environment, file, receiver):
    """(settings, environment) of roles whose only endpoint is the receiver; `environment` as the fixture gives it."""
    file.write_text(f'[[webhooks]]\nname = "{NAME}"\nurl = "{receiver.url}"\nsecret = "{SECRET}"\n', "utf-8")
    changed = type(settings).model_validate({**settings.model_dump(), **SETTINGS})
    return changed, lambda one: {**environment(one), "TILLSTREAM_CONFIG": str(file)}


def ids_of(alerts):
    """The webhook-ids that these alerts must come to, each once."""
    found = [
        webhook_id(one["alert_id"], EVENTS[one["state"]], one["sequence"], NAME)
        for one in alerts
        if one["state"] in EVENTS
    ]
    assert len(set(found)) == len(found), "an alert stands in the log twice"
    return set(found)


async def delivered(settings, wanted, seconds=120):
    """Return once each of these stands as delivered in `webhook.deliveries`."""
    await until_stand(
        settings,
        lambda found: {name for name, one in found.items() if one.state == "delivered"} >= wanted,
        seconds,
    )


def times(receiver):
    """How often each id was accepted."""
    return Counter(one.id for one in receiver.accepted)
