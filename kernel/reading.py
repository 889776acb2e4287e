"""Many receipts at once, from bytes to columns of integers: the quickest way of reading, for those of the usual form.

What it does not judge is left to `schemas.decode`, whose rules it keeps; a test holds that they agree. See receipts.c.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection
from functools import lru_cache

from kernel.buffers import address, buffers
from kernel.library import kernel
from kernel.records import Records

# What a kind may say: ASK is that the receipt was not read here; the others are bits.
ASK, COUNTED, REVERSAL, VOID, NOTHING = 0, 1, 2, 4, 8
# The columns: see Reading.
KIND, IDENTITY, MOMENT, FIRST, KEPT, ALL, GROUP, COLUMNS = range(8)
# units, returned, revenue, discount, tax, where the SKU begins, its length, how much is on the shelf again
LINE_WIDTH = 8
UNITS, REVENUE, RESTOCKED = 0, 2, 7
SHORTEST_LINE = 30

# SKU, units, returned, revenue, discount, tax, restocked: signed.
Line = tuple[str, int, int, int, int, int, int]


@lru_cache(maxsize=4)
def _currencies(codes: frozenset[str]) -> bytes:
    """A byte for each of AAA to ZZZ, which is 1 for those that are a currency."""
    known = bytearray(26**3)
    for code in codes:
        a, b, c = (ord(letter) - ord("A") for letter in code)
        known[(a * 26 + b) * 26 + c] = 1
    return bytes(known)


def group_of(currency: str, business_date: str) -> int:
    """Currency and business date as one number: the letters' three bytes, then the date as yyyymmdd in 32 bits."""
    return int.from_bytes(currency.encode("ascii"), "big") << 32 | int(business_date.replace("-", ""))


def currency_of(group: int) -> str:
    """The currency of a group."""
    return (group >> 32).to_bytes(3, "big").decode("ascii")


class Reading:
    """Receipts that were read, and their lines, in columns.

    `currencies` are the codes there are. `lines` has LINE_WIDTH numbers a line: five figures, signed, and where its SKU
    stands in the text of the records and then `more`.

    Of each receipt there is its KIND; its IDENTITY (streams.state.receipt_hash, as a signed number); its MOMENT, in
    microseconds since the Unix epoch; its FIRST line; how many lines it has without void ones (KEPT), and with them
    (ALL); its GROUP, as `group_of`.
    """

    def __init__(self, records: Records, max_skew_us: int, currencies: Collection[str]) -> None:
        self.records, self.many = records, len(records)
        self.more = bytearray()
        self.columns = array("q", bytes(8 * COLUMNS * self.many))
        with buffers.lent("lines", LINE_WIDTH * (len(records.text) // SHORTEST_LINE + 2)) as room:
            found: int = kernel().read_receipts(
                self.many,
                records.text,
                address(records.places),
                max_skew_us,
                _currencies(frozenset(currencies)),
                address(self.columns),
                address(room),
            )
            self.lines = room[: LINE_WIDTH * found]

    def column(self, name: int) -> list[int]:
        """One number of each receipt."""
        return self.columns[name * self.many : (name + 1) * self.many].tolist()

    def where(self, name: int) -> int:
        """Where a column begins, for the kernel."""
        return address(self.columns) + 8 * name * self.many

    def left_over(self) -> list[int]:
        """The places of the receipts that were not read."""
        kinds = self.column(KIND)
        return [at for at, kind in enumerate(kinds) if kind == ASK] if ASK in kinds else []

    def put(
        self, at: int, kind: int, identity: int, moment: int, lines: Collection[Line], all_lines: int, group: int
    ) -> None:
        """Take a receipt that was read in another way. `identity` is not signed."""
        first = len(self.lines) // LINE_WIDTH
        for sku, units, returned, revenue, discount, tax, restocked in lines:
            text, begin = sku.encode(), len(self.records.text) + len(self.more)
            self.lines.extend((units, returned, revenue, discount, tax, begin, len(text), restocked))
            self.more += text
        signed = identity - (1 << 64) if identity >> 63 else identity
        for name, number in enumerate((kind, signed, moment, first, len(lines), all_lines, group)):
            self.columns[name * self.many + at] = number
