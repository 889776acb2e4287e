"""Every command from the outside: its help, its examples, its page, and what it says when nobody answers."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from tillstream import ch, docs
from tillstream.cli import COMMANDS, make_cli
from tillstream.local.launch import free_port
from tillstream.migrate import MigrationReport
from tillstream.outputs import OUTPUTS
from tillstream.reconcile.run import Report
from tillstream.settings import Settings
from tillstream.status.gather import Status

ROOT = Path(__file__).parents[2]
WALKED = dict(docs.walk())
CONTRACT = {
    "demo", "up", "worker", "sink", "migrate", "replay", "reconcile", "check", "status", "sql", "rejected list",
    "rejected show", "rejected replay", "rebuild", "continue", "alerts list", "alerts show", "alerts explain",
    "alerts acknowledge", "alerts snooze", "alerts resolve", "stock", "policy apply", "policy show", "webhook test",
    "webhook log", "webhook replay", "campaign apply", "campaign list", "demand learn",
}  # fmt: skip
# These print nothing but a log, or write a file.
WITHOUT_JSON = {"up", "worker", "sink"}
# A way to call each command that needs Kafka or ClickHouse.
NEEDY = [
    ["migrate", "--wait", "0"], ["reconcile", "--wait", "0"], ["products", "tests/data/receipts.ndjson"], ["status"],
    ["sql", "SELECT 1"], ["rejected", "list"], ["rejected", "show", "0:0"], ["rejected", "export", "-"],
    ["rejected", "replay"], ["replay", "tests/data/receipts.ndjson"], ["alerts"], ["alerts", "show", "a"],
    ["alerts", "explain", "a"], ["alerts", "resolve", "a"], ["stock", "tests/data/movements.ndjson"],
    ["policy", "apply", "tests/data/policies.toml"], ["policy", "show"], ["webhook", "log"], ["webhook", "replay"],
    ["campaign", "apply", "tests/data/campaigns.toml"], ["campaign", "list"], ["demand", "learn"],
]  # fmt: skip


def test_the_contracts_commands_are_there():
    assert {f"tillstream {name}" for name in CONTRACT} <= set(WALKED)


GROUPS = {"tillstream", *(name.rpartition(" ")[0] for name in WALKED)}


@pytest.mark.parametrize("name", [*WALKED, *sorted(GROUPS)])
def test_each_command_tells_what_it_does_with_examples(name):
    shown = CliRunner().invoke(make_cli(), [*name.split()[1:], "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    examples = re.findall(rf"^\W*(?:.*\s)?({name}\b.*)$", shown.output.partition("Examples")[2], re.MULTILINE)
    assert examples, f"{name} --help has no examples"
    if name not in GROUPS:
        assert ("--json" in shown.output) == (name.removeprefix("tillstream ") not in WITHOUT_JSON)


@pytest.mark.parametrize("name", WALKED)
def test_the_options_of_its_examples_exist(name):
    command = WALKED[name]
    known = {flag for parameter in command.params for flag in parameter.opts}
    for used in re.findall(r"(?<=\s)--[a-z-]+", command.help.partition("Examples")[2]):
        assert used in known, f"{name} has no {used}"


def test_the_keys_of_every_json_are_documented():
    assert {f"tillstream {name}" for name in OUTPUTS} == {
        name for name, command in WALKED.items() if "--json" in [flag for one in command.params for flag in one.opts]
    }
    assert set(OUTPUTS["reconcile"]) == {field.name for field in dataclasses.fields(Report)}
    assert set(OUTPUTS["migrate"]) == {field.name for field in dataclasses.fields(MigrationReport)}
    assert set(OUTPUTS["status"]) == {field.name for field in dataclasses.fields(Status)}


@pytest.mark.integration
def test_each_json_has_the_keys_that_its_page_names(migrated, command, tmp_path):
    def keys(*argv, code=0):
        return set(json.loads(command(migrated, *argv, "--json", code=code).out))

    products = tmp_path / "products.ndjson"
    products.write_text('{"sku": "1"}\n', "utf-8")
    columns = ["topic", "partition", "offset", "reason", "path", "letter_partition", "letter_offset"]
    with ch.connect(migrated) as client:
        client.insert(
            "rejected", [[f"{migrated.topic_prefix}pos.receipts", 3, 17, "x", "$", 3, 0]], column_names=columns
        )
    assert keys("migrate") == set(OUTPUTS["migrate"])
    assert keys("replay", "tests/data/receipts.ndjson") == set(OUTPUTS["replay"])
    assert keys("products", str(products)) == set(OUTPUTS["products"])
    assert keys("status") == set(OUTPUTS["status"])
    assert keys("rejected", "list") == set(OUTPUTS["rejected list"])
    assert keys("rejected", "show", "3:17") == set(OUTPUTS["rejected show"])
    assert keys("rejected", "export", str(tmp_path / "letters.ndjson")) == set(OUTPUTS["rejected export"])
    assert keys("rejected", "replay", code=1) == set(OUTPUTS["rejected replay"])
    assert keys("webhook", "log") == set(OUTPUTS["webhook log"])
    assert keys("webhook", "replay") == set(OUTPUTS["webhook replay"])


def test_the_generated_pages_are_not_stale():
    for name, text in docs.pages().items():
        assert (ROOT / "docs" / name).read_text("utf-8") == text, f"docs/{name} is stale: run `make docs`"


@pytest.mark.parametrize(
    ("argv", "said"),
    [(["nosuch"], "No such command"), (["sql"], "Missing argument"), (["replay", "x", "--fast"], "No such option")],
)
def test_a_wrong_call_is_a_sentence(argv, said):
    done = subprocess.run([sys.executable, "-m", "tillstream", *argv], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("argv", NEEDY, ids=shlex.join)
def test_neighbours_that_are_away_are_a_sentence_and_no_traceback(argv, command, monkeypatch):
    monkeypatch.setattr("tillstream.publish._START_SECONDS", 0)
    port = free_port()
    nobody = Settings(
        kafka_url=f"kafka://127.0.0.1:{port}", clickhouse_url=SecretStr(f"http://user:hush@127.0.0.1:{port}/nowhere")
    )
    done = command(nobody, *argv, code=1)
    assert "refused" in done.err + done.out or "does not answer" in done.err
    assert str(port) in done.err + done.out
    assert "hush" not in done.err + done.out
    assert len((done.err + done.out).splitlines()) <= 6, done.err


def test_check_tells_line_path_and_reason_and_ends_with_1(tmp_path):
    file = tmp_path / "receipts.ndjson"
    good = (ROOT / "tests/data/receipts.ndjson").read_text("utf-8").splitlines()[0]
    file.write_text(f"{good}\n\n{good.replace('59.80', '-59.80')}\n{{\n", "utf-8")
    shown = CliRunner().invoke(make_cli(), ["check", str(file)], env={"COLUMNS": "160"})
    assert shown.exit_code == 1
    assert re.search(r"3 .*\$\.lines\[0\]\.amount.*no sign", shown.output)
    assert "3 receipts: 1 valid with 2 lines, 2 would be refused" in shown.output
    told = CliRunner().invoke(make_cli(), ["check", str(file), "--json"])
    found = json.loads(told.stdout)
    assert set(OUTPUTS["check"]) == set(found)
    assert [(fault["line"], fault["path"]) for fault in found["faults"]] == [(3, "$.lines[0].amount"), (4, "$")]


def test_check_of_a_good_file_ends_with_0():
    shown = CliRunner().invoke(make_cli(), ["check", str(ROOT / "tests/data/receipts.ndjson")])
    assert shown.exit_code == 0
    assert shown.output.endswith("7 receipts: 7 valid with 11 lines, 0 would be refused\n")


@pytest.mark.integration
def test_sql_gives_tables_json_and_csv_and_only_reads(migrated, command, monkeypatch):
    def sql(*argv, code=0):
        done = command(migrated, "sql", *argv, code=code)
        return done.out or done.err

    query = "SELECT toDecimal64(1.5, 2) AS a, toDateTime('2026-11-23 16:05:09', 'UTC') AS t, NULL AS n, '[red]' AS x"
    assert json.loads(sql(query, "--json")) == [{"a": "1.50", "t": "2026-11-23T16:05:09Z", "n": None, "x": "[red]"}]
    monkeypatch.setattr("sys.stdin", io.StringIO(query + ";\n"))
    table = sql("-")
    assert "2026-11-23 16:05:09Z" in table
    assert "[red]" in table
    assert sql("SELECT 1 AS a, 'x,y' AS b, NULL AS n", "--csv") == '"a","b","n"\n1,"x,y",\n'
    assert "10" in sql("SELECT number FROM numbers(11)", "--rows", "11")
    assert sql("SELECT 1 WHERE 0") == "no rows\n"
    assert "There is no query" in sql(" ;", code=1)
    assert "only reads" in sql("INSERT INTO products (sku) VALUES ('x')", code=1)
    assert "Unknown table" in sql("SELECT * FROM nosuch", code=1)
    assert json.loads(sql("SELECT count() AS n FROM products", "--json")) == [{"n": 0}]


@pytest.mark.integration
def test_sql_passes_on_values_of_every_kind_and_answers_of_any_length(migrated, command):
    query = """
    SELECT toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0') AS id, toIPv4('10.0.0.5') AS ip, nan AS n, unhex('ff41') AS b,
           toDecimal128(0, 10) AS d, [toDateTime64('2026-11-23 17:05:09.5', 3, 'Europe/Oslo')] AS times,
           map(toDate('2026-11-23'), 1) AS m, 18446744073709551615 AS big, 'a\\nb' AS two, true AS flag
    """
    (row,) = json.loads(command(migrated, "sql", query, "--json").out)
    assert row == {
        "id": "61f0c404-5cb3-11e7-907b-a6006ad3dba0", "ip": "10.0.0.5", "n": None, "b": "\ufffdA", "d": "0.0000000000",
        "times": ["2026-11-23T16:05:09.500Z"], "m": {"2026-11-23": 1}, "big": 18446744073709551615, "two": "a\nb",
        "flag": True,
    }  # fmt: skip
    assert "61f0c404" in command(migrated, "sql", query).out
    many = command(migrated, "sql", "SELECT number FROM numbers(200000)", "--json").out
    assert len(json.loads(many)) == 200_000


@pytest.mark.integration
def test_the_table_of_sql_shows_the_first_rows_cuts_long_values_and_says_so(migrated, command):
    # More rows than could be sent: only the first are asked for.
    done = command(migrated, "sql", "SELECT number, repeat('x', 1000) AS wide FROM numbers(1000000000000)")
    assert "│ 99 " in done.out.replace("     ", " ").replace("  ", " ")
    assert "x" * 79 + "…" in done.out
    assert re.search(
        r"^100 rows in \d+\.\d\d s, and there are more \(--rows 1000, --json, --csv\)$", done.err, re.MULTILINE
    )
    assert "\x1b" not in command(migrated, "sql", "SELECT unhex('1b5b33316d') AS red").out


@pytest.mark.integration
def test_an_error_in_the_middle_of_an_answer_is_an_error(migrated, command):
    done = command(migrated, "sql", "SELECT throwIf(number = 900000, 'here') FROM numbers(1000000)", "--json", code=1)
    assert "here" in done.err


@pytest.mark.integration
def test_the_page_on_sql_names_every_object_and_every_column_in_order_and_no_other(migrated):
    page = (ROOT / "docs/sql.md").read_text("utf-8").partition("## Examples")[0]
    told = {}
    for kind, chapter in zip(("View", "Table"), re.split(r"^## .*$", page, flags=re.MULTILINE)[1:], strict=True):
        for section in chapter.split("\n### ")[1:]:
            told[section.split("\n")[0]] = kind, re.findall(r"^\| `(\w+)` \| \S", section, re.MULTILINE)
    with ch.connect(migrated) as client:
        rows = client.query(
            "SELECT t.name, if(t.engine = 'View', 'View', 'Table'),"
            " arrayMap(c -> c.2, arraySort(groupArray((c.position, c.name))))"
            " FROM system.tables AS t INNER JOIN system.columns AS c ON c.database = t.database AND c.table = t.name"
            " WHERE t.database = currentDatabase() GROUP BY t.name, t.engine"
        ).result_rows
    assert told == {name: (kind, list(columns)) for name, kind, columns in rows}


@pytest.mark.integration
def test_the_examples_of_the_page_on_sql_run(migrated, command, monkeypatch):
    examples = (ROOT / "docs/sql.md").read_text("utf-8").partition("## Examples")[2]
    queries = [query for query in re.search(r"```sql\n(.*?)```", examples, re.DOTALL)[1].split(";\n") if query.strip()]
    assert len(queries) >= 3
    for query in queries:
        monkeypatch.setattr("sys.stdin", io.StringIO(query))
        assert command(migrated, "sql", "-").out == "no rows\n"


@pytest.mark.parametrize("name", sorted({name.split()[1] for name in WALKED}))
def test_a_command_is_found_without_importing_the_others(name):
    shown = CliRunner().invoke(make_cli(name), [name, "--help"])
    assert (shown.exit_code, "Examples" in shown.output) == (0, True)


def test_a_worker_starts_without_what_only_others_need():
    """Importing it takes longer than a state takes to come back."""
    others = ["polars", "pyarrow", "numpy", "sinks", "tillstream.local.stack"]
    program = (
        "import sys; from tillstream.cli import make_cli; make_cli('worker'); import tillstream.roles;"
        f"sys.exit(', '.join(name for name in {others} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_every_module_of_commands_is_on_the_command_line():
    modules = {file.stem for file in (ROOT / "tillstream/commands").glob("*.py")} - {"__init__"}
    assert modules == set(COMMANDS)
