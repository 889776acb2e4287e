"""What a message of the feed brings about: the one way in which restock's state changes, and all that it says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.alert import Alert
from schemas.errors import Refused
from schemas.feed import Action, Catalogue, FeedMessage, Movement, PoliciesSet, Sales
from streams.restock.episode import Now, Place, acted
from streams.restock.item import Item
from streams.restock.judge import judge, told
from streams.restock.shop import Shop
from streams.restock.state import RestockState
from streams.restock.take_movement import take_movement
from streams.restock.take_sales import take_sales

# No id of a movement holds a control character.
_ACTION = "\0"


@dataclass(slots=True)
class Decided:
    """What came of a message: alerts that changed, in order; movements that are refused.

    `tracked` is a store and a SKU that is tracked from here on. Which items it concerned their store's table knows.
    """

    alerts: list[Alert] = field(default_factory=list)
    refused: list[tuple[Movement, Refused]] = field(default_factory=list)
    tracked: tuple[str, str] | None = None


def decide(state: RestockState, offset: int, message: FeedMessage) -> Decided:
    """Take up the feed's message at an offset; one at or below `applied` does nothing."""
    done = Decided()
    if offset <= state.applied:
        return done
    state.applied = offset
    if isinstance(message, Sales):
        shop = state.shop(message.store_id)
        _judge(state, shop, offset, take_sales(state, shop, message), shop.now, done)
    elif isinstance(message, Movement):
        _movement(state, offset, message, done)
    elif isinstance(message, Action):
        _action(state, offset, message, done)
    elif isinstance(message, PoliciesSet):
        if state.set_policies(message):
            _remind_all(state, message.since)
    elif isinstance(message, Catalogue):
        state.set_catalogue(message)
    else:
        state.set_campaign(message)
    return done


def _judge(state: RestockState, shop: Shop, offset: int, skus: Iterable[str], at: int, done: Decided) -> None:
    for sku in skus:
        item = shop.items[sku]
        state.apply_policy(shop, item)
        # Also where nobody buys: when a campaign is over, its pace must not make the silence after it suspicious.
        state.promote(shop, item)
        done.alerts += judge(shop, item, Place(state.partition, offset, at), state.windows)
        shop.watch(item)
        shop.settle(item, state.windows)
        _note(shop, item)


def _note(shop: Shop, item: Item) -> None:
    item.note()
    shop.table.touched[item.number] = 1


def _movement(state: RestockState, offset: int, message: Movement, done: Decided) -> None:
    shop = state.shop(message.store_id)
    known = message.sku in shop.items
    try:
        moved = take_movement(state, shop, message)
    except Refused as fault:
        done.refused.append((message, fault))
        return
    if moved:
        if not known:
            done.tracked = shop.store_id, message.sku
        # A count of the morning is of the morning, though the store has sold nothing since last night.
        _judge(state, shop, offset, [message.sku], max(shop.now, message.occurred_at), done)


def _action(state: RestockState, offset: int, message: Action, done: Decided) -> None:
    shop = state.shop(message.store_id)
    if (name := _ACTION + message.action_id) in shop.ids:
        return
    shop.ids[name] = shop.now
    for item in shop.items.values():
        for rule, episode in list(item.episodes.items()):
            if episode.alert_id != message.alert_id:
                continue
            now = Now(Place(state.partition, offset, shop.now), "hold", {}, episode.severity)
            after = acted(episode, message.kind, message.until, now)
            if after is episode:
                return
            shelf = item.shelf(shop.trading, shop.now)
            assert shelf is not None, "an alert is of an item that was counted"
            item.keep(rule, after)
            done.alerts.append(told(shop, item, shelf, after, now.place, state.windows))
            _note(shop, item)
            if message.until is not None:
                shop.remind(message.until, item.sku)
            return


def _remind_all(state: RestockState, since: int) -> None:
    for shop in state.shops.values():
        for sku in shop.items:
            shop.remind(since, sku)
