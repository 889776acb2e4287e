"""Medians, spreads and ratios of what was measured, and how they are shown."""

import dataclasses
import xml.etree.ElementTree as ET

import pytest
from lib import chart, figures, outcome, page, render
from lib.figures import Spread
from lib.race import Run
from lib.rounds import Course

QUICK, SLOW = "quick", "slow"


def run(seconds, lines=1_000, cpu=2.0, memory=3 * 1024**2, differences=0):
    return Run(lines, seconds, cpu, memory, differences)


def test_a_ratio_is_of_the_pairs_of_a_round_not_of_the_medians():
    # The machine is half as fast in the second round, for both of them.
    quick, slow = [run(1.0), run(2.0), run(1.0)], [run(4.0), run(8.0), run(3.0)]
    assert figures.ratios(quick, slow) == Spread(4.0, 3.0, 4.0)


def test_a_ratio_is_of_rates_so_that_a_slow_contestant_may_take_fewer_lines():
    assert figures.ratios([run(1.0, lines=1_000)], [run(1.0, lines=100)]).median == 10.0


def test_a_round_that_only_one_of_them_has_finished_makes_no_pair():
    assert figures.ratios([run(1.0), run(1.0)], [run(2.0)]) == Spread(2.0, 2.0, 2.0)


def test_results_are_ranked_and_know_no_ratio_to_who_did_not_take_part():
    found = figures.results({SLOW: [run(4.0)], QUICK: [run(1.0)], "absent": []}, [SLOW, "absent"])
    assert [result.name for result in found] == [QUICK, SLOW]
    assert found[0].times == {SLOW: Spread(4.0, 4.0, 4.0)}


def test_the_worst_rounds_wrong_totals_and_memory_count():
    [result] = figures.results({QUICK: [run(1.0, differences=2), run(1.0, memory=5 * 1024**2)]}, [])
    assert (result.differences, result.mebibytes, result.cpu_microseconds_a_line) == (2, 5.0, 2_000.0)


def test_a_table_has_a_row_a_contestant_and_ratios_with_their_spread():
    runs = {QUICK: [run(1.0), run(1.0)], SLOW: [run(4.0), run(2.0)]}
    results = figures.results(runs, [SLOW, "absent"])
    _, quick, slow = render.cells(results, [SLOW, "absent"])
    assert quick[:5] == [QUICK, "3.00 (2.00 to 4.00)", "—", "1,000", "1,000 to 1,000"]
    assert slow[1] == "1"
    written = render.markdown([["a", "b"], ["1", "2"]])
    assert written == "| a | b |\n| --- | --- |\n| 1 | 2 |"


TEXT = "before\n<!-- one: begin, by a script -->\nold\n<!-- one: end -->\nafter <!-- two: begin -->\n"


def test_only_what_stands_between_the_marks_is_replaced():
    new = "<!-- one: begin, by a script -->\nnew\\1\n<!-- one: end -->"
    assert page.replaced(TEXT, "one", "\nnew\\1\n") == f"before\n{new}\nafter <!-- two: begin -->\n"


def test_a_document_without_the_marks_is_refused():
    with pytest.raises(ValueError, match="0 places for two"):
        page.replaced(TEXT, "two", "new")


def document(load=0.3):
    from datetime import UTC, datetime

    runs = {"tillstream, 1-hour windows": [run(1.0), run(1.1)], "Kafka Streams, in memory": [run(4.0), run(5.0)]}
    return runs, outcome.document(runs, Course("kafka", 4, None, 10), datetime(2026, 11, 26, tzinfo=UTC), load)


def test_what_was_kept_as_json_gives_the_same_runs():
    runs, found = document()
    assert outcome.runs_of(found) == runs


def test_figures_come_with_machine_broker_rounds_and_what_else_ran():
    runs, found = document(load=12.3)
    results = figures.results(runs, outcome.RIVALS)
    said = outcome.conditions(found, results)
    assert "2026-11-26" in said
    assert "Apache Kafka 4.3.1 on the same cores, 4 partitions, 2 rounds in alternation" in said
    assert "(load 12.3)" in said
    assert "load" not in outcome.conditions({**found, "load_before": 0.2}, results)


def test_the_chart_is_an_svg_that_names_every_contestant_and_is_the_same_each_time(tmp_path):
    runs, _ = document()
    results = figures.results(runs, outcome.RIVALS)
    for name in ("one.svg", "two.svg"):
        chart.draw(results, outcome.KAFKA_STREAMS, tmp_path / name)
    drawn = (tmp_path / "one.svg").read_bytes()
    assert drawn == (tmp_path / "two.svg").read_bytes()
    texts = {element.text for element in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")}
    assert {result.name for result in results} <= texts
    assert {"955  (4.3 times)", "225  (1.0 times)"} <= texts


def test_every_field_of_a_run_is_kept():
    runs, found = document()
    [kept, *_] = found["contestants"]["tillstream, 1-hour windows"]["runs"]
    assert kept == dataclasses.asdict(runs["tillstream, 1-hour windows"][0])
