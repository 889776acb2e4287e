"""A receiver of webhooks that notes when each comes, and how tillstream is told to send them there."""

from __future__ import annotations

import asyncio
import base64
import secrets
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, Self

from pydantic import SecretStr

from tillstream.settings import Settings
from tillstream.webhook_settings import SECRET_PREFIX, WebhookSettings
from tillstream.webhooks.receiver import Receiver

NAME = "bench"
LOOK = 0.05
PATIENCE = 60.0


class Hook(NamedTuple):
    """A webhook that came, at this moment (time.monotonic); `said` is the alert."""

    moment: float
    id: str
    type: str
    said: dict[str, Any]


class Hooks(threading.Thread):
    """`with Hooks() as hooks:` listens at `url`, in a thread and with an event loop of its own; `got` is what came."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
        self.url = ""
        self.got: list[Hook] = []
        self.unverified = 0
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._listens = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        self._listens.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self.join()

    def run(self) -> None:
        """Listen until the block ends."""
        self._loop.run_until_complete(self._listen())
        self._loop.close()

    async def _listen(self) -> None:
        async with Receiver([self.secret], 200, self._note).listening("127.0.0.1", 0) as port:
            self.url = f"http://127.0.0.1:{port}/hook"
            self._listens.set()
            await self._over.wait()

    def _note(self, told: dict[str, Any]) -> None:
        moment = time.monotonic()
        if told["verified"]:
            self.got.append(Hook(moment, told["webhook_id"], told["type"], told["data"]))
        else:
            self.unverified += 1

    def settings(self, settings: Settings) -> Settings:
        """These settings with this endpoint. Receipts of the past bring alerts of the past."""
        endpoint = WebhookSettings(name=NAME, url=self.url, secret=(SecretStr(self.secret),))
        return settings.model_copy(
            update={"webhooks": [endpoint], "webhook_allow_private": True, "max_alert_age": timedelta(days=9999)}
        )

    def environment(self, folder: Path) -> dict[str, str]:
        """What a role needs beside its settings' own environment: endpoints are read from a file."""
        file = folder / "webhooks.toml"
        file.write_text(f'[[webhooks]]\nname = "{NAME}"\nurl = "{self.url}"\nsecret = "{self.secret}"\n', "utf-8")
        return {"TILLSTREAM_CONFIG": str(file)}
