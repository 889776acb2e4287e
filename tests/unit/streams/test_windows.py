"""Windows as arithmetic: what holds for every width, grace and moment."""

from hypothesis import given
from hypothesis import strategies as st

from streams.windows import Windows

SECOND, HOUR = 1_000_000, 3_600_000_000
moments = st.integers(0, 4 * 10**15)
windows = st.builds(
    Windows,
    st.sampled_from([w * SECOND for w in range(1, 3_601) if 3_600 % w == 0]),
    st.integers(0, 400 * 86_400).map(lambda seconds: seconds * SECOND),
)


@given(windows, moments)
def test_a_window_holds_the_moments_from_its_start_to_before_its_end(w, moment):
    start = w.start_of(moment)
    assert start <= moment < start + w.width
    assert w.start_of(start) == start
    assert w.start_of(start + w.width - 1) == start


@given(windows, moments)
def test_starts_are_multiples_of_the_width_and_hours_begin_windows(w, moment):
    assert w.start_of(moment) % w.width == 0
    hour = moment - moment % HOUR
    assert w.start_of(hour) == hour


@given(windows, moments, moments)
def test_a_window_is_open_exactly_below_its_end_plus_grace(w, moment, watermark):
    start = w.start_of(moment)
    assert w.is_open(start, watermark) == (watermark < start + w.width + w.grace)
    assert w.is_open(start, w.closes_at(start) - 1)
    assert not w.is_open(start, w.closes_at(start))
    assert w.is_open(start, watermark) == (start >= w.oldest(watermark))
    assert start >= w.oldest(None), "a store without a watermark has every window open"


@given(windows, moments, moments, moments)
def test_what_has_closed_never_opens_again(w, moment, earlier, later):
    earlier, later = sorted((earlier, later))
    if not w.is_open(w.start_of(moment), earlier):
        assert not w.is_open(w.start_of(moment), later)


@given(windows, moments, moments, moments)
def test_an_older_window_never_outlives_a_newer_one(w, one, two, watermark):
    older, newer = sorted((w.start_of(one), w.start_of(two)))
    if w.is_open(older, watermark):
        assert w.is_open(newer, watermark)


@given(windows, moments)
def test_the_window_of_the_watermark_itself_is_open(w, moment):
    assert w.is_open(w.start_of(moment), moment)


@given(windows, moments)
def test_without_a_watermark_every_window_is_open(w, moment):
    assert w.is_open(w.start_of(moment), None)
