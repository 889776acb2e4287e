from __future__ import annotations

import pytest

from tillstream.sparkline import sparkline


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], ""),
        ([0, 0], "  "),
        ([7], "█"),
        ([0, 1, 7], " ▂█"),
        ([1, 2, 3, 4, 5, 6, 7], "▂▃▄▅▆▇█"),
        ([0.001, 1000], "▁█"),  # little is not nothing
        ([-5, 5], " █"),
    ],
)
def test_a_figure_is_a_block_as_high_as_its_part_of_the_largest(values, drawn):
    assert sparkline(values) == drawn
