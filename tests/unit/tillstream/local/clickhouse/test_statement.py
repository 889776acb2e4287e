"""Where an INSERT's data begins and in which format they are; which format an answer has. Everything else is SQL."""

from __future__ import annotations

import pytest

from tillstream.local.clickhouse.statement import parse

DATA = b"\x01\x00\xff\xfe FORMAT Arrow\n"

INSERTS = [
    # the statement before its data; what the engine gets; its format
    (b"INSERT INTO t FORMAT Native\n", "INSERT INTO t", "Native"),
    (b"insert into table t format Native\n", "insert into table t", "Native"),
    (b"INSERT INTO t FORMAT Native\r\n", "INSERT INTO t", "Native"),
    (b"INSERT INTO t FORMAT Native  \n", "INSERT INTO t", "Native"),
    (b"INSERT INTO t FORMAT Native ", "INSERT INTO t", "Native"),
    (b'INSERT INTO db.t (a, `b`, "c") FORMAT Arrow\n', 'INSERT INTO db.t (a, `b`, "c")', "Arrow"),
    (b"INSERT INTO `odd name`.`x(y` (`a)b`, `c``d`) FORMAT Arrow\n", "INSERT INTO `odd name`.`x(y` (`a)b`, `c``d`)",
     "Arrow"),
    (b'INSERT INTO "VALUES" FORMAT Arrow\n', 'INSERT INTO "VALUES"', "Arrow"),
    (b"INSERT INTO db . t FORMAT Arrow\n", "INSERT INTO db . t", "Arrow"),
    (b"-- FORMAT CSV\n/* VALUES */ INSERT INTO t -- why\n (a) /* so */ FORMAT Arrow\n",
     "INSERT INTO t -- why\n (a)", "Arrow"),
    (b"INSERT INTO t (format, values) FORMAT Arrow\n", "INSERT INTO t (format, values)", "Arrow"),
    (b"INSERT INTO t (* EXCEPT(b)) FORMAT Arrow\n", "INSERT INTO t (* EXCEPT(b))", "Arrow"),
    (b"INSERT INTO FUNCTION null('a Int8, b String') FORMAT Arrow\n", "INSERT INTO FUNCTION null('a Int8, b String')",
     "Arrow"),
    (b"INSERT INTO t VALUES", "INSERT INTO t", "Values"),
    (b"INSERT INTO t(a)VALUES", "INSERT INTO t(a)", "Values"),
    (b"INSERT INTO format VALUES", "INSERT INTO format", "Values"),
]  # fmt: skip


@pytest.mark.parametrize(("head", "sql", "name"), INSERTS)
def test_an_inserts_data_begin_after_its_format_and_are_left_as_they_are(head, sql, name):
    found = parse(b"", head + DATA)
    assert (found.sql, found.input_format, bytes(found.data)) == (sql, name, DATA)


@pytest.mark.parametrize(("head", "sql", "name"), INSERTS)
def test_the_statement_may_stand_in_the_url_and_the_data_in_the_body(head, sql, name):
    found = parse(head.rstrip(b"\r\n"), DATA)
    assert (found.sql, found.input_format, bytes(found.data).lstrip(b"\n")) == (sql, name, DATA)


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (b"INSERT INTO t", b"FORMAT CSV\n1\n"),
        (b"INSERT INTO t FORMAT", b"CSV\n1\n"),
        (b"INSERT INTO t FORMAT CSV", b"1\n"),
        (b"INSERT INTO t FORMAT CSV 1", b""),
    ],
)
def test_a_statement_may_be_cut_anywhere_between_url_and_body(query, body):
    found = parse(query, body)
    assert (found.sql, found.input_format, bytes(found.data).strip()) == ("INSERT INTO t", "CSV", b"1")


@pytest.mark.parametrize(
    ("text", "settings", "name"),
    [
        (b"INSERT INTO t SETTINGS a = 1, b = 'x' FORMAT CSV\n", "SETTINGS a = 1, b = 'x'", "CSV"),
        (b"INSERT INTO t SETTINGS a = 'FORMAT JSON VALUES' FORMAT CSV\n", "SETTINGS a = 'FORMAT JSON VALUES'", "CSV"),
        (b"INSERT INTO t (a) SETTINGS a=1 VALUES ", "SETTINGS a=1", "Values"),
    ],
)
def test_settings_stand_between_an_inserts_names_and_its_format(text, settings, name):
    found = parse(b"", text + b"1")
    assert (found.settings, found.input_format, bytes(found.data).strip()) == (settings, name, b"1")


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("INSERT INTO t SELECT 'FORMAT CSV' FROM x", None),
        ("INSERT INTO t SELECT * FROM values('a Int8', 1)", None),
        ("INSERT INTO t SETTINGS a = 1 SELECT * FROM values('a Int8', 1)", None),
        ("INSERT INTO t (a) WITH y AS (SELECT 1) SELECT * FROM y", None),
        ("WITH y AS (SELECT 1) SELECT * FROM y FORMAT CSV", "CSV"),
        ("SELECT 1 format JSONEachRow", "JSONEachRow"),
        ("SELECT 1 FORMAT CSV SETTINGS max_threads = 1, a = 'b'", "CSV"),
        ("SELECT 1 SETTINGS max_threads = 1 FORMAT CSV", "CSV"),
        ("SELECT 1 -- FORMAT CSV", None),
        ("SELECT 1 FORMAT CSV -- as a file", "CSV"),
        ("SELECT 1 /* FORMAT CSV */", None),
        ("SELECT ' FORMAT CSV'", None),
        ("SELECT 'it''s \\' FORMAT CSV'", None),
        ("SELECT 1 AS `x FORMAT CSV`", None),
        ("SELECT 'é' FORMAT TSV", "TSV"),
        ("EXPLAIN SELECT 1", None),
    ],
)
def test_every_other_statement_goes_to_the_engine_whole(text, output):
    found = parse(b"", text.encode())
    assert (found.sql, found.input_format, bytes(found.data), found.output_format) == (text, None, b"", output)


@pytest.mark.parametrize("text", ["SELECT 1;", " SELECT 1 ; ", "SELECT 1\n;\n"])
def test_a_last_semicolon_is_left_out(text):
    assert parse(b"", text.encode()).sql == "SELECT 1"


@pytest.mark.parametrize("text", [b"", b" ", b"\n;"])
def test_nothing_is_no_statement(text):
    assert parse(text, b"").sql == ""


def test_text_that_is_not_utf8_is_refused():
    with pytest.raises(UnicodeDecodeError):
        parse(b"", b"SELECT '\xff'")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        b"SELECT '" + b"x\\'" * 300_000,
        b"INSERT INTO t (" + b"a, " * 100_000,
        b"INSERT INTO t SETTINGS " + b"a='1', " * 50_000 + b"x",
        b"/* " * 100_000 + b"INSERT",
        b"-- x" * 100_000 + b"\n" * 100_000,
    ],
)
def test_no_text_takes_more_than_one_look(text):
    parse(b"", text)
