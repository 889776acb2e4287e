"""The HTTP side: parameters, compression, ClickHouse's headers and error codes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from urllib.parse import urlsplit

import cramjam
from aiohttp import web

from tillstream.local.clickhouse.engine import Engine, EngineError, summary_header
from tillstream.local.clickhouse.statement import parse

LARGEST_BODY = 1024**3
LOOPBACK = {"127.0.0.1", "localhost", "::1", "[::1]"}
# Parameters that ClickHouse's HTTP interface takes for itself; the others are settings.
_OWN = {
    "query", "database", "default_format", "session_id", "session_timeout", "session_check", "query_id", "quota_key",
    "compress", "decompress", "enable_http_compression", "client_protocol_version", "wait_end_of_query", "buffer_size",
    "role", "user", "password", "send_progress_in_http_headers", "http_headers_progress_interval_ms",
    "cancel_http_readonly_queries_on_client_close", "http_zlib_compression_level",
}  # fmt: skip
# As ClickHouse maps its codes (src/Server/HTTP/exceptionCodeToHTTPStatus.cpp).
_STATUS = {
    62: 400, 60: 404, 81: 404, 47: 404, 46: 404, 50: 404, 6: 400, 26: 400, 27: 400, 38: 400, 41: 400, 43: 400,
    53: 400, 69: 400, 70: 400, 72: 400, 115: 404, 117: 400, 164: 403, 241: 500, 456: 400, 497: 403, 159: 408,
}  # fmt: skip
_DECODERS = {
    "gzip": cramjam.gzip.decompress,
    "deflate": cramjam.zlib.decompress,
    "zstd": cramjam.zstd.decompress,
    "lz4": cramjam.lz4.decompress,
    "br": cramjam.brotli.decompress,
}
_ENCODERS = {"zstd": cramjam.zstd.compress, "lz4": cramjam.lz4.compress, "gzip": cramjam.gzip.compress}
_WORTH_COMPRESSING = 1024


def make_app(engine: Engine, timezone: str = "UTC") -> web.Application:
    """Build the web application over an engine."""

    async def ping(_: web.Request) -> web.Response:
        return web.Response(text="Ok.\n")

    async def run(request: web.Request) -> web.Response:
        _refuse_strangers(request)
        query = request.query
        if request.method == "GET" and "query" not in query and not request.can_read_body:
            return web.Response(text="Ok.\n")
        query_id = query.get("query_id") or str(uuid.uuid4())
        headers = {
            "X-ClickHouse-Server-Display-Name": "tillstream",
            "X-ClickHouse-Query-Id": query_id,
            "X-ClickHouse-Timezone": timezone,
        }
        try:
            return await _answer(engine, request, headers)
        except EngineError as fault:
            headers["X-ClickHouse-Exception-Code"] = str(fault.code)
            return web.Response(status=_STATUS.get(fault.code, 500), text=fault.text + "\n", headers=headers)

    app = web.Application(client_max_size=LARGEST_BODY)
    app.router.add_get("/ping", ping)
    app.router.add_route("*", "/", run)
    return app


async def _answer(engine: Engine, request: web.Request, headers: dict[str, str]) -> web.Response:
    query = request.query
    body = await _body(request)
    try:
        statement = parse(query.get("query", "").encode(), body)
    except UnicodeDecodeError:
        raise EngineError("Code: 62. DB::Exception: Syntax error: the query is not UTF-8. (SYNTAX_ERROR)") from None
    if not statement.sql:
        raise EngineError("Code: 62. DB::Exception: Syntax error: Empty query. (SYNTAX_ERROR)")
    settings = {name: value for name, value in query.items() if name not in _OWN and not name.startswith("param_")}
    if request.method == "GET":
        settings.setdefault("readonly", "2")
    parameters = {name[6:]: value for name, value in query.items() if name.startswith("param_")}
    wanted = query.get("default_format") or request.headers.get("X-ClickHouse-Format") or "TabSeparated"
    database = query.get("database") or request.headers.get("X-ClickHouse-Database") or "default"
    answer = await asyncio.get_running_loop().run_in_executor(
        engine.pool, engine.run, statement, database, wanted, settings, parameters
    )
    headers["X-ClickHouse-Summary"] = summary_header(answer)
    headers["X-ClickHouse-Format"] = answer.format
    headers["Content-Type"] = "application/json" if answer.format == "JSON" else "text/plain; charset=UTF-8"
    encoding = _encoding(query, request.headers)
    if encoding and len(answer.body) >= _WORTH_COMPRESSING:
        headers["Content-Encoding"] = encoding
        return web.Response(body=bytes(_ENCODERS[encoding](answer.body)), headers=headers)
    return web.Response(body=answer.body, headers=headers)


async def _body(request: web.Request) -> bytes:
    body = await request.read()
    encoding = request.headers.get("Content-Encoding", "").lower()
    if not body or encoding in ("", "identity"):
        return body
    if encoding not in _DECODERS:
        raise EngineError(f"Code: 48. DB::Exception: Unknown compression {encoding}. (NOT_IMPLEMENTED)")
    try:
        return bytes(_DECODERS[encoding](body))
    except cramjam.DecompressionError as fault:
        raise EngineError(f"Code: 271. DB::Exception: Cannot decompress: {fault}. (CANNOT_DECOMPRESS)") from None


def _encoding(query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
    if query.get("enable_http_compression") != "1":
        return None
    accepted = {part.split(";")[0].strip() for part in headers.get("Accept-Encoding", "").split(",")}
    return next((name for name in _ENCODERS if name in accepted), None)


def _refuse_strangers(request: web.Request) -> None:
    """Refuse what a web page of another site could have sent: DNS rebinding and cross-site requests."""
    host = urlsplit(f"//{request.host}").hostname or ""
    origin = request.headers.get("Origin")
    if host not in LOOPBACK or (origin is not None and urlsplit(origin).hostname not in LOOPBACK):
        raise web.HTTPForbidden(text="Only requests to loopback, from this machine's programs, are served.\n")
