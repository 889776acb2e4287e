"""All rules on one SKU in one store, as its store's event time stands: what becomes of its alerts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from schemas.alert import Alert, Rule, Severity
from schemas.window import MONEY_SCALE, QUANTITY_SCALE
from streams.restock import rules
from streams.restock.demand import UNIT
from streams.restock.episode import Episode, Now, Place, judged
from streams.restock.item import Item
from streams.restock.rules import Judged, Shelf
from streams.restock.shop import Shop
from streams.windows import Windows

_UNIX = datetime(1970, 1, 1, tzinfo=UTC)


def judge(shop: Shop, item: Item, place: Place, windows: Windows) -> list[Alert]:
    """Judge an item, by a message of the feed; returns the alerts whose state this changes."""
    item.observe(shop.trading.done)
    shelf = item.shelf(shop.trading, shop.now)
    if shelf is None:
        return []
    risk = rules.lost_a_day(shelf)
    changed = []
    # Stock-out first: it stands for low stock of the same item.
    found_by: tuple[tuple[Rule, Judged, Severity], ...] = (
        ("stock_out", rules.stock_out(shelf), "critical"),
        ("reorder_point", rules.reorder_point(shelf), "warning"),
        ("silent_shelf", rules.silent_shelf(shelf), "critical"),
        ("surge", rules.surge(shelf), "critical"),
    )
    for rule, found, most in found_by:
        before = item.episodes.get(rule)
        # What a unit brings may be forgotten while an alert is open (all was brought back): it gets no worse by that.
        severity = _severity(risk, shelf, most) if risk is not None or before is None else before.severity
        now = _now(item, shelf, rule, found, severity, place)
        # Until it stays: an alert that what is on order covers is raised, and ordered at once, whoever looks next.
        while (after := judged(before, rule, shop.store_id, item.sku, now)) is not before and after is not None:
            item.keep(rule, after)
            changed.append(told(shop, item, shelf, after, place, windows))
            before = None if after.state == "resolved" else after
            if before is None:
                break
    if "surge" in item.episodes:
        shop.remind(windows.start_of(shop.now) + windows.width, item.sku)
    return changed


def _now(item: Item, shelf: Shelf, rule: Rule, found: Judged, severity: Severity, place: Place) -> Now:
    covered = False
    if shelf.on_order > 0 and rule == "reorder_point":
        covered = found.verdict != "fire"
    elif shelf.on_order > 0 and rule == "stock_out" and found.verdict == "fire":
        covered = found.figures["position"] > found.figures["reorder_point"]
    suppressed = ""
    if rule in ("reorder_point", "surge") and "stock_out" in item.episodes:
        suppressed = "stock_out says so"
    return Now(place, found.verdict, found.figures, severity, covered, suppressed)


def _severity(risk: int | None, shelf: Shelf, most: Severity) -> Severity:
    """By revenue at risk a day; what is not known is worth a warning."""
    if risk is None:
        return "warning"
    if risk >= shelf.policy.critical_per_day:
        return most
    return "warning" if risk >= shelf.policy.warning_per_day else "info"


def told(shop: Shop, item: Item, shelf: Shelf, episode: Episode, place: Place, windows: Windows) -> Alert:
    """An alert as it goes out."""
    levels, cover, lost = rules.reorder_levels(shelf), rules.days_of_cover(shelf), rules.lost_a_day(shelf)
    wanted = rules.suggested((shelf.on_hand + shelf.on_order) / UNIT, levels, shelf.policy)
    return Alert(
        alert_id=episode.alert_id,
        rule=episode.rule,
        state=episode.state,
        severity=episode.severity,
        store_id=shop.store_id,
        sku=item.sku,
        product=item.product,
        on_hand=_plain(shelf.on_hand, QUANTITY_SCALE),
        on_order=_plain(shelf.on_order, QUANTITY_SCALE),
        reorder_point=f"{levels['reorder_point']:.2f}",
        days_of_cover=None if cover is None else f"{cover:.2f}",
        suggested_order=_plain(round(wanted * UNIT), QUANTITY_SCALE),
        lost_revenue_per_day=None if lost is None else _plain(lost, MONEY_SCALE),
        window_start=_time(windows.start_of(place.at)),
        raised_at=_time(episode.raised_at),
        changed_at=_time(place.at),
        snoozed_until=None if episode.snoozed_until is None else _time(episode.snoozed_until),
        reason=episode.reason,
        currency=item.currency,
        figures=episode.figures,
        sequence=episode.sequence,
        feed_partition=place.partition,
        feed_offset=place.offset,
    )


def _plain(number: int, scale: int) -> str:
    """A decimal without needless zeros."""
    text = f"{Decimal(number).scaleb(-scale):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _time(moment: int) -> str:
    return (_UNIX + timedelta(microseconds=moment)).isoformat().replace("+00:00", "Z")
