"""One attempt: a POST to a public address, without redirects, and what came of it. Never raises for the receiver."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import aiohttp

from sinks.webhooks.addresses import is_public
from sinks.webhooks.schedule import Outcome, retry_after

_READ_BYTES = 16 * 1024
_SHOWN_CHARACTERS = 200
_DNS_SECONDS = 10
FORBIDDEN = "is no public address: TILLSTREAM_WEBHOOK_ALLOW_PRIVATE=true would allow it"


class Poster:
    """Sends webhooks: `async with Poster(timeout) as poster: await poster.post(…)`. `timeout` in seconds."""

    def __init__(self, timeout: float, *, allow_private: bool) -> None:
        self._timeout = timeout
        self._allow_private = allow_private
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Make the pool of connections; how many there are, the sender's own bounds say."""
        connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=_DNS_SECONDS, socket_factory=self._socket)
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            trust_env=False,  # a proxy would dial for us, whatever the address
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        assert self._session is not None
        await self._session.close()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Send once."""
        assert self._session is not None
        begun = time.monotonic()
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                beginning = await _beginning(response)
                status = response.status
                hint = retry_after(response.headers.get("Retry-After"), time.time_ns() // 1000)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as fault:
            return Outcome(0, _why(fault, self._timeout), took=time.monotonic() - begun)
        return Outcome(
            status, _meaning(status), hint, time.monotonic() - begun,
            beginning.decode("utf-8", "replace")[:_SHOWN_CHARACTERS],
        )  # fmt: skip

    def _socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        """A socket for an address that was resolved just now and is dialled next: nothing comes between."""
        family, kind, protocol, _, where = address
        if not self._allow_private and not is_public(str(where[0])):
            raise PermissionError(None, f"{where[0]} {FORBIDDEN}")
        return socket.socket(family, kind, protocol)


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """The first bytes of an answer; a longer one is not read, and its connection not used again."""
    found = b""
    while len(found) < _READ_BYTES and (piece := await response.content.read(_READ_BYTES - len(found))):
        found += piece
    if not response.content.at_eof():
        response.close()
    return found


def _meaning(status: int) -> str:
    if 200 <= status < 300:  # noqa: PLR2004  # success
        return ""
    return f"answered {status}: redirects are not followed" if 300 <= status < 400 else f"answered {status}"  # noqa: PLR2004


def _why(fault: Exception, timeout: float) -> str:
    """In a few words, and never the URL, which may hold a token."""
    if isinstance(fault, TimeoutError):
        return f"no answer within {timeout:g} s"
    if isinstance(fault, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "its certificate is not valid"
    if isinstance(fault, aiohttp.ClientConnectorDNSError):
        return "its name does not resolve"
    if isinstance(fault, aiohttp.ServerDisconnectedError | ConnectionResetError):
        return "the connection was closed before an answer came"
    if isinstance(fault, OSError) and fault.strerror:
        return f"no connection: {fault.strerror}"
    return f"no answer: {type(fault).__name__}"
