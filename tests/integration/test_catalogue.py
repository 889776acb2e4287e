"""`tillstream products` through Kafka and ClickHouse: the names of SKUs in every partition of the feed, told once."""

from __future__ import annotations

import asyncio
import json

import pytest

from schemas import feed, topics
from schemas.feed import Campaign, Catalogue, Known, PoliciesSet, PolicySetting
from streams.restock.policy import UNIT
from tests.integration.test_restock import Worker, movement, receipt, tell, until
from tests.integration.test_stock_and_policy import everything
from tillstream import catalogue, ch, feed_log, policy_log
from tillstream.outputs import OUTPUTS
from tillstream.products import Product, load_products

pytestmark = pytest.mark.integration
MILK = Known("Milk 1 l", "Dairy", "Milk", "Fjord")
ROWS = """{"sku": "milk", "name": "Milk 1 l", "department": "Dairy", "category": "Milk", "brand": "Fjord"}
{"sku": "x"}
"""


def told(settings):
    """What each partition's messages say, one after the other."""
    found = [{} for _ in range(settings.partitions)]
    for partition, _, value in everything(settings, topics.FEED):
        message = feed.decode(value)
        if isinstance(message, Catalogue):
            found[partition] |= message.skus
    return found


def products(settings, command, tmp_path, text):
    file = tmp_path / "products.ndjson"
    file.write_text(text, "utf-8")
    return json.loads(command(settings, "products", str(file), "--json").out)


def test_names_reach_every_partition_once_and_what_changes_later_too(migrated, command, tmp_path):
    done = products(migrated, command, tmp_path, ROWS)
    assert set(done) == set(OUTPUTS["products"])
    # A SKU without any name says nothing.
    assert (done["products"], done["told"]) == (2, 1)
    assert told(migrated) == [{"milk": MILK}] * 4
    many = len(everything(migrated, topics.FEED))
    assert products(migrated, command, tmp_path, ROWS)["told"] == 0
    assert len(everything(migrated, topics.FEED)) == many
    changed = ROWS.replace("Fjord", "Dal")
    assert products(migrated, command, tmp_path, changed)["told"] == 1
    assert told(migrated) == [{"milk": Known("Milk 1 l", "Dairy", "Milk", "Dal")}] * 4
    with ch.connect(migrated) as client:
        found = client.query("SELECT sku, brand FROM products FINAL ORDER BY sku").result_rows
    assert found == [("milk", "Dal"), ("x", "")]


def test_what_was_cut_off_is_finished_by_the_same_again(migrated, command, tmp_path):
    # As if the first run had died after two of four partitions.
    message = feed.encode(Catalogue(skus={"milk": MILK}))

    async def half():
        async with feed_log.Publisher(migrated, migrated.topic_prefix + topics.FEED) as publisher:
            for partition in range(2):
                await publisher.send(partition, [(None, message)])

    asyncio.run(half())
    assert products(migrated, command, tmp_path, ROWS)["told"] == 1
    assert told(migrated) == [{"milk": MILK}] * 4
    # And what was cut off is taken back by what was before it.
    message = feed.encode(Catalogue(skus={"milk": Known("Milk 2 l", "Dairy", "Milk", "Fjord")}))
    asyncio.run(half())
    assert products(migrated, command, tmp_path, ROWS)["told"] == 1
    assert told(migrated) == [{"milk": MILK}] * 4


def test_many_products_go_in_messages_that_a_topic_takes_and_a_repeat_adds_none(migrated):
    many = [Product(f"{number:013}", f"Product {number}", "D", f"Category {number % 90}") for number in range(12_000)]
    loaded = load_products(migrated, many)
    assert (loaded.products, loaded.told) == (12_000, 12_000)
    found = everything(migrated, topics.FEED)
    sizes = [len(value) for *_, value in found]
    assert max(sizes) <= 256 * 1024
    assert len(sizes) == 4 * len(catalogue.chunks({one.sku: Known(*one[1:]) for one in many}))
    assert [len(one) for one in told(migrated)] == [12_000] * 4
    again = load_products(migrated, [*many, many[0]._replace(name="new"), many[0]])
    assert (again.products, again.told) == (12_002, 0)
    assert len(everything(migrated, topics.FEED)) == len(found)


async def test_an_alert_bears_the_name_and_the_policy_of_a_category_holds(migrated):
    await asyncio.to_thread(load_products, migrated, [Product("milk", "Milk 1 l", "Dairy", "Milk", "Fjord")])
    rules = [PolicySetting(category="Milk", reorder_point=40 * UNIT), PolicySetting(reorder_point=0)]
    await policy_log.publish(migrated, policy_log.version(rules, 0), lambda _: None)
    async with Worker(migrated):
        await tell(migrated, topics.RECEIPTS, receipt(1, 0, 1))
        await tell(migrated, topics.STOCK, movement("c1", "count", 10, 30))
        found = await until(migrated, lambda found: found)
    assert [(one.rule, one.state) for one in found] == [("reorder_point", "raised")]
    assert (found[0].product.name, found[0].product.brand) == ("Milk 1 l", "Fjord")


def test_partitions_that_were_added_are_told_what_the_others_know(migrated):
    # As if the last two were new: the first two have names, policies and what their stores did.
    first = [
        PoliciesSet(version="1", since=0, rules=[]),
        feed.Action(action_id="a", store_id="12", alert_id="b", kind="resolve"),
        Catalogue(skus={"milk": MILK}), Campaign(campaign_id="c", skus=["milk"], since=1, until=2),
        Catalogue(skus={"milk": Known(purchases_an_hour=0.5, units_a_purchase=1.0)}),
    ]  # fmt: skip

    async def added():
        async with feed_log.Publisher(migrated, migrated.topic_prefix + topics.FEED) as publisher:
            for partition in range(2):
                await publisher.send(partition, [(None, feed.encode(one)) for one in first])
        return await feed_log.tell_added(migrated, range(2, 4))

    assert asyncio.run(added()) == 4
    found = [[], [], [], []]
    for partition, _, value in everything(migrated, topics.FEED):
        found[partition].append(feed.decode(value))
    shared = [one for one in first if not isinstance(one, feed.Action)]
    assert found == [first, first, shared, shared]


def test_policies_and_other_messages_are_left_alone(migrated, command, tmp_path):
    asyncio.run(feed_log.publish(migrated, [PoliciesSet(version="1", since=0, rules=[])], lambda _: None))
    products(migrated, command, tmp_path, ROWS)
    assert asyncio.run(feed_log.read(migrated, Catalogue)) == [Catalogue(skus={"milk": MILK})]
    assert [one.version for one in asyncio.run(feed_log.read(migrated, PoliciesSet))] == ["1"]
