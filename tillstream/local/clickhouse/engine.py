"""chDB behind a few threads, each with a connection of its own: sessions never mix, readers pass writers."""

from __future__ import annotations

import contextlib
import errno
import json
import re
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chdb

from tillstream.local.clickhouse.statement import Statement

# Two threads double the throughput of inserts, four do not; the others are for readers.
THREADS = 4
_INSERT = "insert-"
_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_CODE = re.compile(r"Code: (\d+)\.")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement gave: the bytes in `format`, and how many rows were read or written."""

    body: bytes
    format: str
    summary: dict[str, str]


class EngineError(Exception):
    """ClickHouse's own error: `code` and its text, which begins with `Code: `."""

    def __init__(self, text: str) -> None:
        at = text.find("Code: ")
        self.text = (text[at:] if at >= 0 else f"Code: 1002. DB::Exception: {text}").strip()
        found = _CODE.match(self.text)
        self.code = int(found[1]) if found else 1002
        super().__init__(self.text)


class Engine:
    """Runs statements; one engine a process, one process a path."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._path = str(path)
        self._folder = path.parent
        for left in self._folder.glob(f"{_INSERT}*"):  # by a process that was killed
            left.unlink()
        self._local = threading.local()
        # The first connection opens the engine, and keeps it open.
        self._first = self._connect()
        self.pool = ThreadPoolExecutor(THREADS, thread_name_prefix="chdb")

    def _connect(self) -> Any:
        return chdb.connect(self._path)

    def close(self) -> None:
        """Finish what runs, then close the engine."""
        self.pool.shutdown(wait=True)
        self._first.close()

    def _connection(self) -> Any:
        if not hasattr(self._local, "connection"):
            self._local.connection = self._connect()
        return self._local.connection

    def run(
        self,
        statement: Statement,
        database: str,
        output_format: str,
        settings: Mapping[str, str],
        parameters: Mapping[str, str],
    ) -> Answer:
        """Run one statement, in the calling thread; raises EngineError."""
        try:
            if settings.get("readonly", "0") != "0":
                # Nothing takes `readonly` back, so it gets a connection that ends with the statement.
                connection = self._connect()
                try:
                    return _run(connection, statement, database, output_format, settings, parameters, self._folder)
                finally:
                    connection.close()
            connection = self._connection()
            try:
                return _run(connection, statement, database, output_format, settings, parameters, self._folder)
            finally:
                for name in settings:
                    # One that could not be set cannot be reset; the others must be.
                    with contextlib.suppress(RuntimeError, chdb.ChdbError, EngineError):
                        connection.query(f"SET {_checked(name)} = DEFAULT")
        except (RuntimeError, chdb.ChdbError) as fault:
            raise EngineError(str(fault)) from None
        except OSError as fault:
            if fault.errno != errno.ENOSPC:
                raise
            raise EngineError("Code: 243. DB::Exception: The disk is full. (NOT_ENOUGH_SPACE)") from None


def _run(
    connection: Any,
    statement: Statement,
    database: str,
    output_format: str,
    settings: Mapping[str, str],
    parameters: Mapping[str, str],
    folder: Path,
) -> Answer:
    connection.query("USE `" + database.replace("`", "\\`") + "`")
    # `readonly` last: it forbids changing itself, and with 1 every other setting.
    for name, value in sorted(settings.items(), key=lambda item: item[0] == "readonly"):
        connection.query(f"SET {_checked(name)} = {_quoted(value)}")
    if statement.input_format is not None:
        return _insert(connection, statement, parameters, folder)
    return _query(connection, statement, output_format, parameters)


def _insert(connection: Any, statement: Statement, parameters: Mapping[str, str], folder: Path) -> Answer:
    """Insert from a file: chDB's streaming insert says nothing of rows that the table refused, and loses them."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=_INSERT) as file:
        file.write(statement.data)
        file.flush()
        source = f"FROM INFILE {_quoted(file.name)} {statement.settings} FORMAT {statement.input_format}"
        result = connection.query(f"{statement.sql}\n{source}", "TabSeparated", params=dict(parameters))
    written = {"written_rows": str(result.rows_written()), "written_bytes": str(result.bytes_written())}
    return Answer(b"", "TabSeparated", written)


def _query(connection: Any, statement: Statement, output_format: str, parameters: Mapping[str, str]) -> Answer:
    chosen = statement.output_format or output_format
    result = connection.query(statement.sql, chosen, params=dict(parameters))
    body = result.bytes() or b""
    summary = {"read_rows": str(result.rows_read()), "read_bytes": str(result.bytes_read())}
    return Answer(body, chosen, summary)


def _checked(name: str) -> str:
    if not _NAME.match(name):
        raise EngineError(f"Code: 115. DB::Exception: Unknown setting '{name}'. (UNKNOWN_SETTING)")
    return name


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def summary_header(answer: Answer) -> str:
    """The value of X-ClickHouse-Summary."""
    return json.dumps(
        {"read_rows": "0", "read_bytes": "0", "written_rows": "0", "written_bytes": "0", **answer.summary}
    )
