"""A receiver for a developer's first minute: verifies each webhook, tells of it, and answers as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from schemas.errors import Stop

_LARGEST = 1024 * 1024


class Receiver:
    """Takes POSTs to any path. `tell` gets each webhook: when, its id, whether it is verified, type and data."""

    def __init__(self, secrets: Sequence[str], status: int, tell: Callable[[dict[str, Any]], None]) -> None:
        self._verifiers = [Webhook(secret) for secret in secrets]
        self._status = status
        self._tell = tell
        self.received = 0
        self.news = asyncio.Event()

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[int]:
        """Listen, and give the port; raises Stop where another program listens there."""
        app = web.Application(client_max_size=_LARGEST)
        app.router.add_post("/{path:.*}", self._take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, host, port).start()
            except OSError as fault:
                raise Stop(
                    f"{host}:{port} is not free: {fault.strerror}.", "Choose another port with --port."
                ) from None
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        verified, why = self._verify(body, dict(request.headers))
        content = _content(body)
        self._tell(
            {
                "received_at": datetime.now(UTC),
                "webhook_id": request.headers.get("webhook-id", ""),
                "verified": verified,
                "reason": why,
                "answered": self._status if verified else web.HTTPUnauthorized.status_code,
                "type": content.get("type"),
                "data": content.get("data"),
            }
        )
        self.received += 1
        self.news.set()
        return web.Response(status=self._status if verified else web.HTTPUnauthorized.status_code)

    def _verify(self, body: bytes, headers: dict[str, str]) -> tuple[bool, str]:
        """Whether one of the secrets has signed it, and why not."""
        why = ""
        for verifier in self._verifiers:
            try:
                verifier.verify(body, headers, json_parse=False)
            except WebhookVerificationError as fault:
                why = str(fault)
            except ValueError:  # headers or a body that are no text of this form
                why = "Invalid Signature Headers"
            else:
                return True, ""
        return False, why


def _content(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return {}
    return found if isinstance(found, dict) else {}
