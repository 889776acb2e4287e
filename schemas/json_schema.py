"""`python -m schemas.json_schema DIR` writes a JSON Schema (2020-12) of every message into a folder.

Generated from the types, so that they cannot disagree; what the types cannot say (decimals as JSON numbers too, the
form of times) is added here. Some rules of receipts no schema can tell: `tillstream check` tells all of them.
"""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from schemas.alert import Alert, Webhook
from schemas.currency import CODES
from schemas.epoch import Epoch
from schemas.late import LateMessage
from schemas.numbers import MONEY, QUANTITY, Scale
from schemas.position import StockPosition
from schemas.receipt import ReceiptMessage
from schemas.stock import StockMessage
from schemas.window import CountsMessage, WindowMessage

_PRINTED = {"pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$"}
_INSTANT = {
    "type": "string",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$",
    "description": "RFC 3339 with its offset, 1970 to 2105",
}
_DATE = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
_CURRENCY = {"type": "string", "enum": sorted(CODES), "description": "ISO 4217"}


def _decimal(scale: Scale) -> dict[str, Any]:
    places = rf"(\.[0-9]{{1,{scale.places}}})?"
    digits = len(str(scale.below - 1))
    return {
        "anyOf": [
            {"type": "string", "pattern": rf"^0*[0-9]{{1,{digits}}}{places}$"},
            {"type": "number", "minimum": 0, "exclusiveMaximum": scale.below},
        ],
        "description": f"at most {scale.places} places, below {scale.below:,}, never negative",
    }


def _absent(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, or null, which is the same as leaving the field out."""
    return {"anyOf": [schema, {"type": "null"}], "default": None}


# What stands in place of a field's own schema: struct -> field -> schema.
_SAID_HERE: dict[str, dict[str, dict[str, Any]]] = {
    "ReceiptMessage": {
        "occurred_at": _INSTANT, "currency": _CURRENCY, "business_date": _absent(_DATE),
    },
    "LineMessage": {
        "quantity": _decimal(QUANTITY), "amount": _decimal(MONEY), "discount": _absent(_decimal(MONEY)),
        "tax": _absent(_decimal(MONEY)),
    },
    "StockMessage": {
        "occurred_at": _INSTANT, "expected_at": _absent(_INSTANT),
        "quantity": {
            "anyOf": [
                {"type": "string", "pattern": r"^-?0*[0-9]{1,6}(\.[0-9]{1,5})?$"},
                {"type": "number", "exclusiveMinimum": -QUANTITY.below, "exclusiveMaximum": QUANTITY.below},
            ],
            "description": "positive, but for an adjustment",
        },
    },
}  # fmt: skip
_IDENTIFIERS = {"transaction_id", "store_id", "till_id", "sku", "movement_id"}


def schemas() -> dict[str, dict[str, Any]]:
    """Name of the file without its ending, and the schema."""
    types: dict[str, tuple[str, Any]] = {
        "receipt": ("A message of pos.receipts.", ReceiptMessage),
        "stock-movement": ("A message of stock.movements.", StockMessage),
        "window": ("A message of sales.windows: the rows of one store's window that changed.", WindowMessage),
        "counts": (
            "A message of sales.windows: how many messages of a partition ended in which result.",
            CountsMessage,
        ),
        "late": ("A message of pos.late.", LateMessage),
        "epoch": ("A message of tillstream.epochs.", Epoch),
        "position": ("A message of stock.positions.", StockPosition),
        "alert": ("A message of restock.alerts.", Alert),
        "webhook": ("The body of a webhook.", Webhook),
    }
    return {name: _schema(title, kind) for name, (title, kind) in types.items()} | {"dead-letter": _dead_letter()}


def _schema(title: str, kind: Any) -> dict[str, Any]:
    (top,), definitions = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    for name, definition in definitions.items():
        definition.pop("additionalProperties", None)  # unknown fields are ignored
        definition["description"] = inspect.cleandoc(definition.get("description", ""))
        for field, schema in definition.get("properties", {}).items():
            if field in _IDENTIFIERS:
                _print_only(schema)
            if field in _SAID_HERE.get(name, {}):
                definition["properties"][field] = _SAID_HERE[name][field]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **top, "$defs": definitions}


def _print_only(schema: dict[str, Any]) -> None:
    for option in schema.get("anyOf", [schema]):
        if option.get("type") == "string":
            option.update(_PRINTED)


def _dead_letter() -> dict[str, Any]:
    names = ("reason", "path", "topic", "partition", "offset")
    headers = {name: {"type": "string", **({"pattern": "^[0-9]+$"} if name in names[3:] else {})} for name in names}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The headers of a message of pos.rejected; key and value are the original's, as far as they are kept.",
        "type": "object",
        "properties": headers,
        "required": list(names),
    }


def write(folder: Path) -> None:
    """Write every schema into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (folder / f"{name}.json").write_text(text(schema), "utf-8")


def text(schema: dict[str, Any]) -> str:
    """A schema as it stands in its file."""
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
