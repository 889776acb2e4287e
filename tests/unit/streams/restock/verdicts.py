"""What becomes of alerts for low stock and for none, by the sentences of docs/restock.md alone."""

from __future__ import annotations


def changes(states, key, on_hand, on_order, s, pack):
    """(rule, state) of each alert that changes; `states` has, by (key, rule), those that are open, and is kept up."""
    found = []

    def goes_to(rule, state):
        found.append((rule, state))
        states[key, rule] = None if state == "resolved" else state

    position = on_hand + on_order
    out, low = states.get((key, "stock_out")), states.get((key, "reorder_point"))
    enough = on_order > 0 and position > s
    # Nothing on hand is a stock-out; it is covered by an order that brings the position above the level.
    if out is None and on_hand <= 0:
        goes_to("stock_out", "raised")
        if enough:
            goes_to("stock_out", "ordered")
    elif out is not None and on_hand > 0:
        goes_to("stock_out", "resolved")
    elif out == "raised" and enough:
        goes_to("stock_out", "ordered")
    elif out == "ordered" and not enough:
        goes_to("stock_out", "raised")
    # At or below the level stock is low; a stock-out says so too, and louder.
    if states.get((key, "stock_out")) is not None:
        if low is not None:
            goes_to("reorder_point", "resolved")
    elif low is None:
        if position <= s:
            goes_to("reorder_point", "raised")
    elif enough:
        if low != "ordered":
            goes_to("reorder_point", "ordered")
    elif position > s + pack or (position > s and low == "ordered"):
        goes_to("reorder_point", "resolved")
    elif low == "ordered":
        goes_to("reorder_point", "raised")
    return found
