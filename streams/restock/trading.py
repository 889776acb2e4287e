"""A store's own clock: how much business it has done, in standard trading hours, and when in the week it does it.

An hour without receipts is no trading hour and counts nothing; an hour with twice the usual receipts counts two. So
opening hours, quiet days, holidays and tills that are silent need no calendar: where the store sells nothing, the clock
of all its shelves stands still. Receipts that arrive late move it when they arrive, as do the sales in them.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from itertools import accumulate

HOUR = 3_600_000_000
DAY = 24 * HOUR
HOURS_A_WEEK = 168
# The average of receipts in a trading hour remembers some four weeks of them; an hour of the week eight weeks.
HOURS_REMEMBERED = 400
WEEKS_REMEMBERED = 8
# A store that sold nothing for longer was closed, or its watermark leapt: neither says anything of its week.
LONGEST_PAUSE = HOURS_A_WEEK
# Until a whole week has been seen, a day has this many trading hours.
HOURS_A_DAY = 12.0


@dataclass(slots=True)
class Trading:
    """Of one store. `done` is its clock: standard trading hours of business since the first.

    `receipts_an_hour` is the average of trading hours, 0 before the first is over; `week` the average standard hours of
    each hour of the week (UTC, Thursday 00:00 first, as the Unix epoch), `weeks` how many of each were seen. `hour` is
    the one under way, since the Unix epoch, `in_hour` its receipts so far, `before` those of the hour before.
    `_sums` are the sums of `week` up to each hour while `_summed` says so: they change once an hour, and are asked for
    with every SKU.
    """

    done: float = 0.0
    receipts_an_hour: float = 0.0
    hours: int = 0
    hour: int | None = None
    in_hour: int = 0
    before: int = 0
    week: array[float] = field(default_factory=lambda: array("d", [0.0] * HOURS_A_WEEK))
    weeks: list[int] = field(default_factory=lambda: [0] * HOURS_A_WEEK)
    _sums: array[float] = field(default_factory=lambda: array("d"), repr=False, compare=False)
    _summed: bool = field(default=False, repr=False, compare=False)
    _whole: bool = field(default=False, repr=False, compare=False)

    def advance(self, now: int, receipts: int) -> bool:
        """Receipts that were counted, up to the watermark of now (microseconds); says whether an hour has passed."""
        hour = now // HOUR
        passed = self.hour is not None and hour > self.hour
        if passed:
            self._close_until(hour)
        if self.hour is None or hour > self.hour:
            self.hour = hour
        self.in_hour += receipts
        if self.receipts_an_hour > 0:
            self.done = max(0.0, self.done + receipts / self.receipts_an_hour)
        return passed

    def _close_until(self, hour: int) -> None:
        assert self.hour is not None
        if self.in_hour > 0:
            self.hours += 1
            first = self.receipts_an_hour == 0
            self.receipts_an_hour += (self.in_hour - self.receipts_an_hour) / min(self.hours, HOURS_REMEMBERED)
            if first:
                self.done += 1.0
        self._note(self.hour, max(0, self.in_hour))
        if hour - self.hour <= LONGEST_PAUSE:
            for quiet in range(self.hour + 1, hour):
                self._note(quiet, 0)
        self.before = self.in_hour if hour == self.hour + 1 else 0
        self.in_hour = 0

    def _note(self, hour: int, receipts: int) -> None:
        at = hour % HOURS_A_WEEK
        self.weeks[at] = min(self.weeks[at] + 1, WEEKS_REMEMBERED)
        standard = receipts / self.receipts_an_hour if self.receipts_an_hour > 0 else 0.0
        self.week[at] += (standard - self.week[at]) / self.weeks[at]
        self._summed = False

    def ahead(self, now: int, days: float) -> float:
        """How many standard hours of business are to be expected in so many days from now."""
        if days <= 0:
            return 0.0
        if self.sums() is None:
            return days * HOURS_A_DAY
        whole, rest = divmod(days * 24, HOURS_A_WEEK)
        begin = now / HOUR % HOURS_A_WEEK
        end = begin + rest
        over = end >= HOURS_A_WEEK
        hours = self._since_thursday(end - HOURS_A_WEEK if over else end) - self._since_thursday(begin)
        return max(0.0, hours + (whole + over) * self._sums[HOURS_A_WEEK])

    def _since_thursday(self, hour: float) -> float:
        """Standard hours of a week up to an hour of it, which need not be whole."""
        at = min(int(hour), HOURS_A_WEEK - 1)
        return self._sums[at] + self.week[at] * (hour - at)

    def last_hour(self, now: int) -> float:
        """Standard hours of business done in the sixty minutes before now, about."""
        if self.receipts_an_hour <= 0:
            return 0.0
        share = now % HOUR / HOUR
        return max(0.0, self.in_hour + self.before * (1 - share)) / self.receipts_an_hour

    def around(self, now: int) -> float:
        """Standard hours of business that the sixty minutes before now let expect, or that were done if more."""
        return max(self.ahead(now - HOUR, HOUR / DAY), self.last_hour(now))

    def sums(self) -> tuple[array[float], array[float]] | None:
        """Standard hours of each hour of the week, and of all before it (one more); None until a whole week is seen."""
        if not self._summed:
            self._whole, self._summed = 0 not in self.weeks, True
            self._sums = array("d", [0.0, *accumulate(self.week)])
        return (self.week, self._sums) if self._whole else None

    def a_day(self) -> float:
        """Standard hours of business of an average day."""
        sums = self.sums()
        return HOURS_A_DAY if sums is None else sums[1][HOURS_A_WEEK] / 7
