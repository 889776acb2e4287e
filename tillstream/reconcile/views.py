"""The views' own texts, with another answer to which epochs are live: a new epoch is judged by them before it is."""

from __future__ import annotations

from tillstream import migrate

_LIVE = "live_epochs"
# What a reconciliation asks for, and what that is made of.
_NEEDED = ("late_counted", "sales_rows", "sales", "sales_by_business_date", "receipt_counts", "dead_letters")


def as_if_live(epoch: int) -> str:
    """Give the beginning of a query that sees these views as if this epoch alone were live.

    Names of a WITH clause go before those of the database, also within each other.
    """
    parts = {_LIVE: f"SELECT toUInt32({epoch}) AS epoch"}
    for _, text in migrate.files():
        for statement in migrate.statements(text):
            if statement.startswith(migrate.VIEW):
                view, _, select = statement.removeprefix(migrate.VIEW).strip().partition(" AS\n")
                if view in _NEEDED:
                    parts[view] = select
    if missing := set(_NEEDED) - set(parts):
        raise AssertionError(f"no such views: {missing}")
    return "WITH " + ",\n".join(f"{view} AS ({select})" for view, select in parts.items()) + "\n"
