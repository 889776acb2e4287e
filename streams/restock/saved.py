"""What restock knows, as bytes and back: a store each, and what is the same for all stores of a partition.

Pure. What can be made anew is not in them: `DERIVED` names it, and a test looks that each field is in either. Numbers
that the kernel reaches are copied as they lie in memory, so `LAYOUT` says how that is; with it a snapshot of another
version, or of another machine's byte order, is passed over.
"""

from __future__ import annotations

import ctypes
import hashlib
import sys
from array import array

import msgspec

from kernel.library import DEMAND, ITEM
from kernel.moves import MOVE_WIDTH, Moves
from schemas.alert import Product, Rule, Severity, State
from schemas.feed import Campaign, Known
from streams.restock.alike import kept_once
from streams.restock.demand import Demand
from streams.restock.episode import Episode
from streams.restock.item import Item
from streams.restock.orders import Orders
from streams.restock.policy import Policies, Policy, PolicyRule
from streams.restock.shop import Shop
from streams.restock.state import RestockState
from streams.restock.trading import Trading

# To be raised with every change to what is saved, or to what a number in it means.
FORMAT = 1
# Moves are saved in pieces of so many: they come at the end, and those before stay as they are until some are
# forgotten.
MOVES_AT_ONCE = 1_600
LAYOUT = hashlib.blake2b(
    repr((FORMAT, sys.byteorder, DEMAND._fields_, [one[0] for one in ITEM._fields_], ctypes.sizeof(ITEM))).encode(),
    digest_size=8,
).hexdigest()
# What is made anew from the rest, by class and field.
DERIVED = {
    "RestockState": {"_by_sku": "the campaigns again, by what they promote"},
    "Shop": {"table": "addresses, of one life only"},
    "Trading": {
        "_sums": "sums of `week`",
        "_summed": "whether they are made",
        "_whole": "whether a whole week is seen",
    },
    "Item": {
        "number": "its place in its store",
        "position": "looks at `numbers` and the store's moves",
        "demand": "stands in `numbers`",
        "product": "what is known of the SKU",
    },
    "Moves": {"many": "how many rows there are"},
}


class SavedTrading(msgspec.Struct, array_like=True, gc=False):
    """A store's clock."""

    done: float
    receipts_an_hour: float
    hours: int
    hour: int | None
    in_hour: int
    before: int
    week: bytes
    weeks: list[int]


class SavedEpisode(msgspec.Struct, array_like=True, gc=False):
    """An alert as it stands, its figures as they are: a whole number stays one."""

    alert_id: str
    rule: Rule
    state: State
    severity: Severity
    raised_at: int
    sequence: int
    figures: dict[str, int | float]
    snoozed_until: int | None
    reason: str


class SavedShop(msgspec.Struct, array_like=True, gc=False):
    """A store. Items are known by their numbers, the places in `skus`; `policy` is by item, a place in `policies`.

    `numbers` are the items' one after the other; of what few items have there is an entry for these only. `moves` is
    how many there are: they stand apart, since most are those of the last time.
    """

    store_id: str
    log: int
    applied: int
    watermark: int | None
    trading: SavedTrading
    receipts: dict[int, int]
    hours: bytes
    clocks: bytes
    ids: dict[str, int]
    latest_movement: int
    due: list[tuple[int, int]]
    watched: list[tuple[float, int]]
    day: int
    moves: int
    kept: int
    skus: list[str]
    numbers: bytes
    policy: bytes
    policies: list[tuple[Policy, str]]
    orders: dict[int, Orders]
    promotion: dict[int, bytes]
    episodes: dict[int, list[SavedEpisode]]
    promoted: list[int]


class SavedCommon(msgspec.Struct, array_like=True, gc=False):
    """What is told to all stores."""

    policies: list[tuple[int, str, list[PolicyRule]]]
    known: dict[str, Known]
    campaigns: list[Campaign]


_encode = msgspec.msgpack.Encoder().encode
_shop = msgspec.msgpack.Decoder(SavedShop)
_common = msgspec.msgpack.Decoder(SavedCommon)


def save_common(state: RestockState) -> bytes:
    """What is the same for all stores; raises ValueError or OverflowError where a number is beyond 64 bits."""
    policies = [(since, version, rules.rules) for since, version, rules in state.policies]
    return _encode(SavedCommon(policies, state.known, list(state.campaigns.values())))


def restore_common(state: RestockState, saved: bytes) -> None:
    """Put it into a state that knows nothing yet; raises msgspec.MsgspecError."""
    found = _common.decode(saved)
    state.policies = [(since, version, Policies(rules)) for since, version, rules in found.policies]
    state.known = dict(kept_once(sku, known) for sku, known in found.known.items())
    state.campaigns = {one.campaign_id: one for one in found.campaigns}


def save_shop(shop: Shop) -> bytes:
    """A store as it is now, but for its moves; raises ValueError or OverflowError where a number is beyond 64 bits."""
    items, places = shop.items.values(), {sku: item.number for sku, item in shop.items.items()}
    policies: dict[tuple[Policy, str], int] = {}
    policy = array("i", [policies.setdefault((one.policy, one.policy_version), len(policies)) for one in items])
    orders, promotion, episodes, promoted = {}, {}, {}, []
    for number, item in enumerate(items):
        if item.orders.recent or item.orders.settled or item.orders.open:
            orders[number] = item.orders
        if item.promotion is not None:
            promotion[number] = bytes(item.promotion)
        if item.episodes:
            episodes[number] = [_episode(one) for one in item.episodes.values()]
        if item.promoted:
            promoted.append(number)
    trading = shop.trading
    return _encode(
        SavedShop(
            shop.store_id, shop.log, shop.applied, shop.watermark,
            SavedTrading(
                trading.done, trading.receipts_an_hour, trading.hours, trading.hour, trading.in_hour, trading.before,
                trading.week.tobytes(), trading.weeks,
            ),
            shop.receipts, shop.hours.tobytes(), shop.clocks.tobytes(), shop.ids, shop.latest_movement,
            [(at, places[sku]) for at, sku in shop.due], [(at, places[sku]) for at, sku in shop.watched], shop.day,
            shop.moves.many, shop.moves.kept, list(shop.items), b"".join([one.numbers for one in items]),
            policy.tobytes(), list(policies), orders, promotion, episodes, promoted,
        )
    )  # fmt: skip


def save_moves(shop: Shop, piece: int) -> bytes:
    """A piece of its moves: MOVES_AT_ONCE of them, the last has what is left."""
    begin = piece * MOVES_AT_ONCE * MOVE_WIDTH
    rows = shop.moves.numbers[begin : min(begin + MOVES_AT_ONCE * MOVE_WIDTH, shop.moves.many * MOVE_WIDTH)]
    return rows.tobytes()


def pieces_of_moves(shop: Shop) -> int:
    """How many pieces they are."""
    return -(-shop.moves.many // MOVES_AT_ONCE)


def restore_shop(state: RestockState, saved: bytes, moves: bytes) -> Shop:
    """The store again with its moves, in a state whose common part is there; raises msgspec.MsgspecError or ValueError.

    All its items are touched: what was told of them may be in a topic that nobody has read yet.
    """
    found = _shop.decode(saved)
    skus, trading = found.skus, found.trading
    shop = Shop(
        found.store_id, found.log, found.applied, found.watermark,
        Trading(
            trading.done, trading.receipts_an_hour, trading.hours, trading.hour, trading.in_hour, trading.before,
            array("d", trading.week), trading.weeks,
        ),
        found.receipts, array("q", found.hours), array("d", found.clocks), {}, found.ids, found.latest_movement,
        [(at, skus[number]) for at, number in found.due], [(at, skus[number]) for at, number in found.watched],
        found.day, Moves.of(array("q", moves), found.kept),
    )  # fmt: skip
    policy, size, numbers = array("i", found.policy), ctypes.sizeof(ITEM), found.numbers
    if shop.moves.many != found.moves:
        raise ValueError(f"there are {shop.moves.many} moves, not {found.moves}")
    if not len(skus) == len(policy) == len(numbers) / size:
        raise ValueError("the store's columns are of different lengths")
    for number, sku in enumerate(skus):
        item = shop.items[sku] = Item(sku, number, shop.moves)
        ctypes.memmove(ctypes.addressof(item.numbers), numbers[number * size : (number + 1) * size], size)
        item.policy, item.policy_version = found.policies[policy[number]]
        known = state.known.get(sku)
        if known is not None:
            item.product = Product(known.name, known.department, known.category, known.brand)
    for number, told in found.orders.items():
        shop.items[skus[number]].orders = told
    for number, demand in found.promotion.items():
        shop.items[skus[number]].promotion = Demand.from_buffer_copy(demand)
    for one, number in ((one, number) for number, many in found.episodes.items() for one in many):
        shop.items[skus[number]].episodes[one.rule] = Episode(*msgspec.structs.astuple(one))
    for number in found.promoted:
        shop.items[skus[number]].promoted = True
    for item in shop.items.values():
        shop.table.add(item.sku, item.numbers, item.running())
    shop.table.touch_all()
    return shop


def _episode(one: Episode) -> SavedEpisode:
    return SavedEpisode(
        one.alert_id, one.rule, one.state, one.severity, one.raised_at, one.sequence, one.figures, one.snoozed_until,
        one.reason,
    )  # fmt: skip
