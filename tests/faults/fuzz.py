"""Mangled messages by seed: receipts with something wrong in their bytes or their JSON, and JSON of any shape."""

from __future__ import annotations

import json
import random

from tests.faults.load import Disorder, receipts

TOKENS = [
    b"\\ud800",
    b"\\udfff\\ud800",
    b"\\u0000",
    b"\\u0085",
    b"\x7f",
    b"\xc2\x80",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\x00",
    b"\xf4\x90\x80\x80",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"1E-999",
    b"-0",
    b"-0.0",
    b"00",
    b"9" * 400,
    b"0." + b"0" * 400,
    b"1e99999999999",
    b"null",
    b"true",
    b"{}",
    b"[]",
    b'"',
    b"\\",
    b",",
    b":",
    b"{",
    b"[",
    b"}",
    b"]",
    b" ",
    b"\n",
    b"4111111111111111",
    b"\xef\xbc\x99",
    b'"lines"',
    b'"void"',
    b'"kind":"return",',
    b'"discount":null,',
]
STRINGS = [
    "",
    " ",
    "\x00",
    "\x7f",
    "\x85",
    "\ud800",
    "a\udc00b",
    "\U0010ffff",
    "é" * 64,
    "x" * 128,
    "x" * 129,
    "sale",
    "SALE",
    "4111111111111111",
    "4111 1111 1111 1111",
    "NOK",
    "nok",
    "XXX",
    "JPY",
    "-1",
    "+1",
    "1e3",
    "1_000",
    "\uff11\uff12",
    " 1",
    "1 ",
    "0.000001",
    "9" * 30,
    "9999999.99999",
    "0" * 300 + "1",
    "1.",
    ".5",
    "-0",
    "NaN",
    "inf",
    "0x10",
    "1,5",
    "true",
    "2026-09-01T10:00:00Z",
    "2026-09-01T10:00:00",
    "2026-09-01T24:00:00Z",
    "2026-09-01T23:59:60Z",
    "2026-02-30T10:00:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-09-01t10:00:00z",
    "2026-09-01 10:00:00+00:00",
    "2026-09-01T10:00:00+25:00",
    "2026-09-01T10:00:00.1234567890123Z",
    "1969-12-31T23:59:59Z",
    "20260901T100000Z",
    "2026-W36-1",
    "2026-09-01",
    "2026-13-01",
    "10000-01-01",
]
NUMBERS = [
    0, 1, -1, -0.0, 0.1, 2.25, 1e22, 1e308, 5e-324, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**30,
    10**400, 19.99, 0.754, 1.000001, float("inf"), float("nan"),
]  # fmt: skip
FIELDS = [
    "transaction_id", "store_id", "occurred_at", "currency", "lines", "till_id", "sequence", "type", "business_date",
    "customer_id", "original_transaction_id", "sku", "quantity", "amount", "line", "unit", "discount", "tax", "kind",
    "void", "restocked", "Lines", "amount ", "", "\ud800", "x", "4111111111111111", "__class__",
]  # fmt: skip


class Mangler:
    """`message()` gives one (key, value) after the other; the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._drawn = random.Random(seed)
        self._valid = receipts(2_000, seed, Disorder(malformed=0.0))

    def message(self) -> tuple[bytes | None, bytes | None]:
        drawn = self._drawn
        store, value = drawn.choice(self._valid)
        way = drawn.random()
        if way < 0.45:
            value = self._bytes(value)
        elif way < 0.9:
            value = self._json(json.loads(value))
        elif way < 0.97:
            value = self._written(self._any(drawn.randrange(6)))
        elif way < 0.985:
            value = drawn.choice([b"[", b'{"a":', b'{"lines":[']) * drawn.choice([1, 10, 500, 1_500, 30_000])
        elif way < 0.999:
            value = drawn.randbytes(drawn.randrange(200))
        else:
            return store.encode(), None
        keys = [store.encode(), None, b"", b"\xff\xfe", store.encode() + b" ", b"4111111111111111"]
        return drawn.choices(keys, [20, 1, 1, 1, 1, 1])[0], value

    def _bytes(self, value: bytes) -> bytes:
        drawn = self._drawn
        for _ in range(drawn.choice([1, 1, 1, 2, 4])):
            at = drawn.randrange(len(value) + 1)
            to = min(len(value), at + drawn.choice([0, 1, 1, 4, 30]))
            way = drawn.randrange(6)
            if way == 0:
                value = value[:at] + value[to:]
            elif way == 1:
                value = value[:at] + drawn.choice(TOKENS) + value[to:]
            elif way == 2:
                value = value[:to] + value[at:]
            elif way == 3:
                value = value[:at] + drawn.randbytes(1) + value[at + 1 :]
            elif way == 4:
                value = value[:at]
            else:
                other = drawn.choice(self._valid)[1]
                value = value[:at] + other[drawn.randrange(len(other)) :]
        return value

    def _json(self, receipt: dict) -> bytes:
        drawn = self._drawn
        for _ in range(drawn.choice([1, 1, 2, 3])):
            lines = receipt.get("lines")
            inner = isinstance(lines, list) and lines and drawn.random() < 0.5
            place = drawn.choice(lines) if inner else receipt
            if not isinstance(place, dict):
                continue
            names = [*place] or FIELDS
            way = drawn.randrange(5)
            if way == 0:
                place.pop(drawn.choice(names), None)
            elif way == 1:
                place[drawn.choice(names)] = self._any(2)
            elif way == 2:
                place[drawn.choice(FIELDS)] = self._any(2)
            elif way == 3:
                place[drawn.choice(FIELDS)] = place.get(drawn.choice(names))
            else:
                place[drawn.choice(["amount", "quantity", "discount", "tax", "sequence", "line"])] = drawn.choice(
                    NUMBERS
                )
        if drawn.random() < 0.02 and isinstance(receipt.get("lines"), list):
            receipt["lines"] *= drawn.choice([2, 2, 150, 2_000])
        return self._written(receipt)

    def _written(self, value: object) -> bytes:
        separators = self._drawn.choice([None, (",", ":"), (" ,\n", "\t: ")])
        ascii_only = self._drawn.random() < 0.5
        return json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode("utf-8", "surrogatepass")

    def _any(self, depth: int) -> object:
        drawn = self._drawn
        way = drawn.randrange(7 if depth else 4)
        if way == 0:
            return drawn.choice(NUMBERS)
        if way <= 2:
            return drawn.choice(STRINGS) * (9_000 if drawn.random() < 0.001 else 1)
        if way == 3:
            return drawn.choice([None, True, False])
        if way == 4:
            return [self._any(depth - 1) for _ in range(drawn.randrange(4))]
        return {drawn.choice(FIELDS): self._any(depth - 1) for _ in range(drawn.randrange(5))}
