"""Many receipts at once, from bytes to columns of integers: the quickest way of reading, for those of the usual form.

What it does not judge is left to `schemas.decode`, whose rules it keeps; a test holds that they agree. See receipts.c.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate

from kernel.buffers import address, buffers
from kernel.library import kernel

# What a kind may say: ASK is that the receipt was not read here; the others are bits.
ASK, COUNTED, REVERSAL, VOID, NOTHING = 0, 1, 2, 4, 8
# kind, identity, moment, first line, lines kept, all lines, group
COLUMNS = 7
# units, returned, revenue, discount, tax, where the SKU begins, its length
LINE_WIDTH = 7
SHORTEST_LINE = 30

# SKU, units, returned, revenue, discount, tax: signed.
Line = tuple[str, int, int, int, int, int]
# Kind, identity, moment, first line, lines kept, all lines, group: see Reading.
Facts = tuple[int, int, int, int, int, int, int]


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


class Reading:
    """Receipts that were read, and their lines, in columns.

    `keys`, `values` and `timestamps_ms` are those of Kafka's records, in the same order; `currencies` are the codes
    there are. `lines` has LINE_WIDTH numbers a line: five figures, signed, and where its SKU stands in `text` and then
    `more`.
    """

    def __init__(
        self,
        keys: Sequence[bytes],
        values: Sequence[bytes],
        timestamps_ms: Iterable[int],
        max_skew_us: int,
        currencies: Collection[str],
    ) -> None:
        many = len(values)
        self.text = b"".join(values)
        self.more = bytearray()
        ends, key_ends = array("q", accumulate(map(len, values))), array("q", accumulate(map(len, keys)))
        stamps = array("q", timestamps_ms)
        self._columns = array("q", bytes(8 * COLUMNS * many))
        with buffers.lent("lines", LINE_WIDTH * (len(self.text) // SHORTEST_LINE + 2)) as room:
            found: int = kernel().read_receipts(
                many,
                self.text,
                address(ends),
                b"".join(keys),
                address(key_ends),
                address(stamps),
                max_skew_us,
                _currencies(frozenset(currencies)),
                address(self._columns),
                address(room),
            )
            self.lines = room[: LINE_WIDTH * found]

    @property
    def many_lines(self) -> int:
        """How many lines there are, void ones left out."""
        return len(self.lines) // LINE_WIDTH

    def facts(self) -> Iterator[Facts]:
        """What there is to know of each receipt but its lines.

        Its kind; its identity (streams.state.receipt_hash); its moment, in microseconds since the Unix epoch; its first
        line; how many lines it has, without void ones, and with them; its group, as `group_of`.
        """
        many = len(self._columns) // COLUMNS
        kinds, identities, *others = (self._columns[at * many : (at + 1) * many] for at in range(COLUMNS))
        unsigned = memoryview(identities).cast("B").cast("Q")
        return zip(kinds.tolist(), unsigned.tolist(), *(one.tolist() for one in others), strict=True)

    def add(self, lines: Collection[Line]) -> int:
        """Take lines that were read in another way; returns the place of the first."""
        first = self.many_lines
        for sku, *figures in lines:
            name = sku.encode()
            self.lines.extend((*figures, len(self.text) + len(self.more), len(name)))
            self.more += name
        return first
