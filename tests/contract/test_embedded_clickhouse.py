"""ClickHouse's HTTP interface over chDB: what clickhouse-connect and curl send, and what they must get back."""

from __future__ import annotations

import gzip
import threading
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import clickhouse_connect
import cramjam
import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from tillstream import ch
from tillstream.local.launch import EmbeddedClickHouse, free_port
from tillstream.settings import Settings

pytestmark = pytest.mark.integration


def ask(base, query="", body=None, headers=None, **parameters):
    """(status, headers, body) of one request, as curl sends it."""
    if query:
        parameters["query"] = query
    url = f"{base}/?{urllib.parse.urlencode(parameters)}"
    request = urllib.request.Request(url, data=body, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers, refused.read()


@pytest.fixture
def client(settings):
    with ch.connect(settings, database="") as server:
        server.command(f"CREATE DATABASE {settings.clickhouse_database} ENGINE = Atomic")
    with ch.connect(settings) as found:
        yield found


def test_get_post_and_a_query_split_over_url_and_body_give_rows(clickhouse):
    assert ask(clickhouse)[2] == b"Ok.\n"
    assert ask(clickhouse, "SELECT 1")[2] == b"1\n"
    assert ask(clickhouse, body=b"SELECT 2, 'a'")[2] == b"2\ta\n"
    assert ask(clickhouse, "SELECT 3 +", body=b" 4;")[2] == b"7\n"
    assert urllib.request.urlopen(f"{clickhouse}/ping", timeout=10).read() == b"Ok.\n"


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("JSONEachRow", b'{"a":1,"b":"x"}\n'),
        ("CSVWithNames", b'"a","b"\n1,"x"\n'),
        ("TabSeparated", b"1\tx\n"),
        ("Values", b"(1,'x')"),
    ],
)
def test_formats_are_passed_through_from_the_query_the_url_and_the_header(clickhouse, output, text):
    query = "SELECT 1 AS a, 'x' AS b"
    assert ask(clickhouse, f"{query} FORMAT {output}")[2] == text
    assert ask(clickhouse, query, default_format=output)[2] == text
    status, headers, body = ask(clickhouse, query, headers={"X-ClickHouse-Format": output})
    assert (status, body, headers["X-ClickHouse-Format"]) == (200, text, output)


def test_a_format_named_inside_a_string_is_text(clickhouse):
    assert ask(clickhouse, "SELECT 'FORMAT JSON' AS a WHERE a = 'FORMAT JSON'")[2] == b"FORMAT JSON\n"


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("String", "it's \\\\ \"x\" -- '; DROP", None),
        ("UInt64", "18446744073709551615", None),
        ("Decimal(18, 4)", "59.8000", "59.8"),
        ("DateTime('UTC')", "2026-11-23 16:05:09", None),
        ("Array(String)", "['a','b']", None),
    ],
)
def test_bound_parameters_are_values_and_never_sql(clickhouse, kind, value, text):
    status, _, body = ask(clickhouse, f"SELECT {{x:{kind}}} FORMAT TSVRaw", param_x=value)
    assert status == 200, body
    wanted = value.replace("\\\\", "\\") if kind == "String" else text or value
    assert body.decode().rstrip("\n") == wanted


@pytest.mark.parametrize(
    ("query", "status", "code", "words"),
    [
        ("SELEC 1", 400, "62", "Syntax error"),
        ("SELECT * FROM nosuch", 404, "60", "nosuch"),
        ("SELECT nosuch FROM system.one", 404, "47", "nosuch"),
        ("SELECT nosuch()", 404, "46", "nosuch"),
        ("SELECT * FROM nosuch.t", 404, "81", "nosuch"),
        ("SELECT toUInt8('x')", 400, "6", "parse"),
    ],
)
def test_errors_are_clickhouses_own_with_its_code_and_status(clickhouse, query, status, code, words):
    found, headers, body = ask(clickhouse, query)
    assert (found, headers["X-ClickHouse-Exception-Code"]) == (status, code)
    assert body.startswith(f"Code: {code}. DB::Exception: ".encode())
    assert words in body.decode()


def test_an_empty_query_and_one_that_is_no_utf8_are_refused(clickhouse):
    assert ask(clickhouse, body=b"  ;")[0] == 400
    assert ask(clickhouse, body=b"SELECT '\xff")[0] == 400
    assert ask(clickhouse, "SELECT 1", nosuchsetting="1")[1]["X-ClickHouse-Exception-Code"] == "115"


def test_a_settings_effect_ends_with_its_query(clickhouse):
    query = "SELECT getSetting('max_block_size')"
    before = ask(clickhouse, body=query.encode())[2]
    for _ in range(8):  # more than there are threads
        assert ask(clickhouse, body=query.encode(), max_block_size="777")[2] == b"777\n"
        assert ask(clickhouse, body=query.encode(), max_block_size="777", nosuch="1")[0] == 404
    assert {ask(clickhouse, body=query.encode())[2] for _ in range(8)} == {before}


@pytest.mark.parametrize("level", ["1", "2"])
def test_readonly_refuses_writing_and_ends_with_its_query(clickhouse, client, level):
    database = client.database
    client.command("CREATE TABLE t (a Int32) ENGINE = MergeTree ORDER BY a")
    for _ in range(8):
        refused = ask(clickhouse, body=b"INSERT INTO t VALUES (1)", database=database, readonly=level)
        assert refused[1]["X-ClickHouse-Exception-Code"] == "164"
        assert ask(clickhouse, body=b"INSERT INTO t VALUES (1)", database=database)[0] == 200
    assert ask(clickhouse, "INSERT INTO t SELECT 2", database=database)[0] != 200, "a GET only reads"
    assert ask(clickhouse, "SELECT count() FROM t", database=database)[2] == b"8\n"


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("zstd", cramjam.zstd.compress), ("lz4", cramjam.lz4.compress)],
)
def test_bodies_are_compressed_both_ways(clickhouse, encoding, pack):
    query = b"SELECT repeat('tillstream', 500)"
    status, headers, body = ask(
        clickhouse, body=bytes(pack(query)), headers={"Content-Encoding": encoding, "Accept-Encoding": encoding},
        enable_http_compression="1",
    )  # fmt: skip
    assert (status, headers["Content-Encoding"]) == (200, encoding)
    unpack = {"gzip": cramjam.gzip, "zstd": cramjam.zstd, "lz4": cramjam.lz4}[encoding].decompress
    assert bytes(unpack(body)) == b"tillstream" * 500 + b"\n"
    assert ask(clickhouse, body=b"\x00\x01", headers={"Content-Encoding": encoding})[0] in {400, 500}


def test_inserts_of_every_kind_that_the_clients_send_arrive(clickhouse, client):
    client.command(
        "CREATE TABLE t (a Int32, s String, d Decimal(18, 4), w DateTime('UTC')) ENGINE = MergeTree ORDER BY a"
    )
    moment = datetime(2026, 11, 23, 16, 5, 9, tzinfo=UTC)
    client.insert("t", [[1, "é\t\n'", Decimal("59.80"), moment]], column_names=["a", "s", "d", "w"])
    table = {"a": [2], "s": ["arrow"], "d": pa.array([Decimal("-0.0001")], pa.decimal128(18, 4)),
             "w": pa.array([moment], pa.timestamp("s", tz="UTC"))}  # fmt: skip
    client.insert_arrow("t", pa.table(table))
    where = {"database": client.database}
    rows = b'{"a": 3, "s": "FORMAT VALUES (", "d": 1, "w": "2026-11-23 16:05:09"}\n'
    assert ask(clickhouse, body=b"INSERT INTO t FORMAT JSONEachRow\n" + rows, **where)[0] == 200
    assert ask(clickhouse, body=b"-- why\nINSERT INTO t (a, s) VALUES (4, 'x;y'), (5, 'z')", **where)[0] == 200
    assert ask(clickhouse, "INSERT INTO t (a, s) FORMAT CSV", body=b'6,"q,r"\n', **where)[0] == 200
    assert ask(clickhouse, body=b"INSERT INTO t (a, s) SELECT a + 10, s FROM t WHERE a = 1", **where)[0] == 200
    found = client.query("SELECT a, s, d, w FROM t WHERE a < 4 ORDER BY a").result_rows
    assert [row[:3] for row in found] == [
        (1, "é\t\n'", Decimal("59.8000")), (2, "arrow", Decimal("-0.0001")), (3, "FORMAT VALUES (", Decimal("1.0000")),
    ]  # fmt: skip
    assert {row[3].replace(tzinfo=UTC) for row in found} == {moment}
    assert client.query("SELECT groupArray(s) FROM (SELECT s FROM t WHERE a > 3 ORDER BY a)").result_rows == [
        (["x;y", "z", "q,r", "é\t\n'"],)
    ]
    assert client.query_arrow("SELECT a FROM t ORDER BY a").column("a").to_pylist() == [1, 2, 3, 4, 5, 6, 11]


def test_inserts_into_names_that_need_quotes_carry_binary_data(client):
    client.command("CREATE TABLE `odd (name` (`a b` Int32) ENGINE = MergeTree ORDER BY `a b`")
    client.insert("`odd (name`", [[250], [-1]], column_names=["a b"])
    client.insert_arrow("`odd (name`", pa.table({"a b": pa.array([7], pa.int32())}))
    assert client.query("SELECT * FROM `odd (name` ORDER BY 1").result_rows == [(-1,), (7,), (250,)]


def test_values_may_be_bound_parameters_and_expressions(client):
    client.command("CREATE TABLE t (a Int32, s String) ENGINE = MergeTree ORDER BY a")
    client.command("INSERT INTO t VALUES (1 + 1, {x:String}), ({n:Int32}, upper('y'))", {"x": "it's", "n": 3})
    client.command("INSERT INTO t (a, s) VALUES (2 * 2, lower('Z'))")
    assert client.query("SELECT * FROM t ORDER BY a").result_rows == [(2, "it's"), (3, "Y"), (4, "z")]


def test_rows_of_a_wrong_shape_are_refused_with_the_engines_code(clickhouse, client):
    client.command("CREATE TABLE t (a Int32) ENGINE = MergeTree ORDER BY a")
    with pytest.raises(DatabaseError, match="nosuch"):
        client.insert_arrow("t", pa.table({"nosuch": [1]}))
    refused = ask(clickhouse, body=b'INSERT INTO t FORMAT JSONEachRow\n{"a": "x"}\n', database=client.database)
    assert refused[0] != 200
    assert client.query("SELECT count() FROM t").result_rows == [(0,)]


def test_an_insert_that_the_table_refuses_is_an_error_and_leaves_no_row(clickhouse, client):
    client.command("CREATE TABLE t (a Int32, CONSTRAINT few CHECK a < 1000) ENGINE = MergeTree ORDER BY a")
    with pytest.raises(DatabaseError, match="few"):
        client.insert_arrow("t", pa.table({"a": pa.array([1, 5000, 2], pa.int32())}))
    refused = ask(clickhouse, body=b"INSERT INTO t VALUES (1), (5000)", database=client.database)
    assert refused[1]["X-ClickHouse-Exception-Code"] == "469"
    assert client.query("SELECT count() FROM t").result_rows == [(0,)]


def test_an_insert_may_carry_settings(clickhouse, client):
    client.command("CREATE TABLE t (a Int32, m Date) ENGINE = MergeTree PARTITION BY m ORDER BY a")
    rows = b"".join(b'{"a": %d, "m": "%d-01-01"}\n' % (n, 1990 + n) for n in range(9))
    query = "INSERT INTO t (a, m) SETTINGS max_partitions_per_insert_block = %d FORMAT JSONEachRow"
    assert ask(clickhouse, query % 3, body=rows, database=client.database)[1]["X-ClickHouse-Exception-Code"] == "252"
    assert ask(clickhouse, query % 9, body=rows, database=client.database)[0] == 200
    assert client.query("SELECT count() FROM t").result_rows == [(9,)]


def test_many_clients_at_once_get_each_its_own_answer(settings, clickhouse):
    def one(number):
        with ch.connect(settings, database="", max_threads=1 + number % 2) as client:
            return [
                client.query("SELECT {n:Int64} * 2", parameters={"n": number + i}).result_rows[0][0] for i in range(5)
            ]

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(one, range(24))) == [[2 * (number + i) for i in range(5)] for number in range(24)]


def test_a_large_answer_comes_whole(client):
    rows = client.query("SELECT number, toString(number) FROM numbers(300000)").result_rows
    assert len(rows) == 300_000
    assert rows[-1] == (299_999, "299999")


def test_databases_may_have_odd_names(settings, clickhouse):
    with ch.connect(settings, database="") as server:
        server.command("CREATE DATABASE `a-b.c` ENGINE = Atomic")
        server.command("CREATE TABLE `a-b.c`.t ENGINE = Memory AS SELECT 7 AS x")
    assert ask(clickhouse, "SELECT x FROM t", database="a-b.c")[2] == b"7\n"
    assert ask(clickhouse, "SELECT 1", database="no`such")[1]["X-ClickHouse-Exception-Code"] == "81"


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_what_a_web_page_of_another_site_could_send_is_refused(clickhouse, headers):
    assert ask(clickhouse, "SELECT 1", headers=headers)[0] == 403


def test_one_process_a_folder_and_what_was_acknowledged_survives_a_sigkill(tmp_path):
    first = EmbeddedClickHouse("127.0.0.1", free_port(), tmp_path / "data", tmp_path / "one.log")
    first.start()
    try:
        with _when_up(first) as client:
            client.command("CREATE TABLE t (a Int32) ENGINE = MergeTree ORDER BY a")
            client.insert("t", [[n] for n in range(1000)], column_names=["a"])
        second = EmbeddedClickHouse("127.0.0.1", free_port(), tmp_path / "data", tmp_path / "two.log")
        second.start()
        assert second.process.wait(30) == 1
        assert "Another process uses" in (tmp_path / "two.log").read_text("utf-8")
        first.process.kill()
        first.process.wait()
        first.start()
        with _when_up(first) as client:
            assert client.query("SELECT count(), sum(a) FROM t").result_rows == [(1000, 499_500)]
    finally:
        first.stop()


def test_it_listens_on_loopback_only(tmp_path):
    open_to_all = EmbeddedClickHouse("0.0.0.0", free_port(), tmp_path / "data", tmp_path / "log")
    open_to_all.start()
    assert open_to_all.process.wait(30) == 1
    assert "listens on loopback only" in (tmp_path / "log").read_text("utf-8")


def test_it_stops_on_sigterm_and_finishes_what_runs(tmp_path):
    server = EmbeddedClickHouse("127.0.0.1", free_port(), tmp_path / "data", tmp_path / "log")
    server.start()
    with _when_up(server) as client:
        answers = []
        query = "SELECT sum(sleepEachRow(0.5)) FROM numbers(4)"
        slow = threading.Thread(target=lambda: answers.append(ask(f"http://127.0.0.1:{server.port}", query)[2]))
        slow.start()
        running = "SELECT count() FROM system.processes WHERE query LIKE '%(0.5)%' AND query NOT LIKE '%processes%'"
        while client.query(running).result_rows != [(1,)]:
            assert slow.is_alive()
        server.process.terminate()
        assert server.process.wait(10) == 0
        slow.join(10)
    server.process = None
    assert answers == [b"0\n"]


def _when_up(server):
    import asyncio

    from tillstream.waiting import wait_for_clickhouse

    url = f"http://127.0.0.1:{server.port}/default"
    asyncio.run(wait_for_clickhouse(Settings(clickhouse_url=url), 30))
    return clickhouse_connect.get_client(host="127.0.0.1", port=server.port, autogenerate_session_id=False)
