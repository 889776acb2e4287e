"""Whether the log is still the one that was folded: each refusal, and what is none.

folded:  0 1 2 3 4 5 6 7 8 9 | 10 ...      applied = 9
"""

import pytest

from schemas.errors import Stop
from streams.same_log import LogView, check_log, judge

SAME, OTHER = 11, 22


def check(log, applied=9):
    check_log("pos.receipts", 3, applied, SAME, log)


@pytest.mark.parametrize(
    "log",
    [
        pytest.param(LogView(0, 10, SAME), id="nothing new"),
        pytest.param(LogView(0, 500, SAME), id="more to fold"),
        pytest.param(LogView(9, 500, SAME), id="retention has removed what is folded, but for the last"),
        pytest.param(LogView(10, 500, None), id="retention has removed exactly what is folded"),
        pytest.param(LogView(10, 10, None), id="the same, and nothing new"),
    ],
)
def test_the_same_log_goes_on(log):
    assert judge(9, SAME, log) == "same"
    check(log)


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        pytest.param(LogView(0, 9, None), "ends before offset 9, but its receipts up to 9 were counted", id="shorter"),
        pytest.param(LogView(0, 0, None), "ends before offset 0, but", id="empty"),
        pytest.param(LogView(0, 500, OTHER), "not hold the receipt that was counted at offset 9", id="another one"),
        pytest.param(LogView(0, 500, None), "not hold the receipt that was counted at offset 9", id="no record"),
        pytest.param(
            LogView(11, 500, None), "begins at offset 11: retention removed the receipts from 10 on", id="gap"
        ),
    ],
)
def test_another_log_is_refused_with_the_place_and_what_to_do(log, sentence):
    assert judge(9, SAME, log) == ("hole" if log.first > 9 else "other")
    with pytest.raises(Stop) as stopped:
        check(log)
    assert sentence in stopped.value.sentence
    assert "pos.receipts, partition 3," in stopped.value.sentence
    assert "tillstream continue" in stopped.value.hint
    assert "tillstream rebuild" in stopped.value.hint


@pytest.mark.parametrize("log", [LogView(0, 0, None), LogView(0, 10, OTHER), LogView(700, 900, None)])
def test_with_nothing_folded_every_log_will_do(log):
    assert judge(-1, 0, log) == "untouched"
    check(log, applied=-1)
