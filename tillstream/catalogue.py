"""What is known of SKUs, in `restock.feed`: names from `tillstream products`, rates from `tillstream demand learn`.

The feed is kept for ever, so only what it does not say yet is published.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.progress import Progress

from schemas import feed
from schemas.errors import Stop
from schemas.feed import Catalogue, Known, known_by_now
from schemas.topics import KIB
from tillstream import console, feed_log
from tillstream.settings import Settings

# A worker takes up a message in one go: so large that there are few, so small that nothing else waits for long.
_CHUNK = 256 * KIB


async def held(settings: Settings, bar: Progress | None = None) -> dict[str, Known]:
    """What every partition of the feed knows by now; raises as feed_log.read does."""
    read = feed_log.read_first_and_last(settings, Catalogue, *console.steps(bar, "reading the feed"))
    first, last = map(_known, await read)
    return {sku: one for sku, one in last.items() if first.get(sku) == one}


def _known(messages: Iterable[Catalogue]) -> dict[str, Known]:
    known: dict[str, Known] = {}
    for message in messages:
        for sku, told in message.skus.items():
            known[sku] = known_by_now(known.get(sku, Known()), told)
    return known


def news(known: Mapping[str, Known], told: Iterable[tuple[str, Known]]) -> dict[str, Known]:
    """Of what is told, what is not known yet; of a SKU that is told twice the latter."""
    found: dict[str, Known] = {}
    for sku, one in told:
        before = known.get(sku, Known())
        if known_by_now(before, one) == before:
            found.pop(sku, None)
        else:
            found[sku] = one
    return found


async def publish(settings: Settings, skus: Mapping[str, Known], bar: Progress | None = None) -> int:
    """Tell every partition; gives how many there are, 0 where there is nothing to tell. Raises as Publisher does."""
    if not skus:
        return 0
    return await feed_log.publish(settings, chunks(skus), console.note, *console.steps(bar, "telling restock"))


def chunks(skus: Mapping[str, Known]) -> list[Catalogue]:
    """Messages that a topic takes; raises Stop that names a SKU with too much text."""
    found: list[Catalogue] = []
    part: dict[str, Known] = {}
    size = 0
    for sku, known in skus.items():
        one = len(feed.encode(Catalogue(skus={sku: known})))
        if one > feed_log.LARGEST:
            raise Stop(f"SKU {sku}: its names have {one:,} bytes, more than a message may have.", "Shorten them.")
        if part and size + one > _CHUNK:
            found.append(Catalogue(skus=part))
            part, size = {}, 0
        part[sku] = known
        size += one
    return [*found, Catalogue(skus=part)] if part else found
