"""An endpoint as `[[webhooks]]` of the settings' file has it: checked once, here; a fault names the field."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from schemas.alert import Severity
from tillstream.units import Duration

SECRET_PREFIX = "whsec_"  # noqa: S105  # what each begins with
_FEWEST, _MOST = 24, 64  # bytes of a secret, by Standard Webhooks


def _listed(value: Any) -> Any:
    """One or a list, as a list."""
    return value if isinstance(value, list | tuple) else [value]


class WebhookSettings(BaseModel):
    """One endpoint. `stores` empty: all of them. Secrets never show in its text."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str = Field(repr=False)
    secret: Annotated[tuple[SecretStr, ...], BeforeValidator(_listed)] = ()
    secret_file: Annotated[tuple[Path, ...], BeforeValidator(_listed)] = ()
    events: tuple[Literal["restock.raised", "restock.resolved"], ...] = ("restock.raised", "restock.resolved")
    stores: tuple[str, ...] = ()
    severity: Severity = "info"
    name: str = Field("", pattern=r"^[A-Za-z0-9._-]{0,64}$")
    digest: Duration = timedelta(0)
    concurrency: int = Field(16, ge=1, le=64)

    @field_validator("url")
    @classmethod
    def _can_be_posted_to(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ValueError("is no URL") from None
        if parts.scheme not in ("http", "https") or not host:
            raise ValueError("must begin with https:// or http:// and name a host")
        if parts.username or parts.password:
            raise ValueError("must hold no user and password: webhooks are signed instead")
        return value

    @field_validator("secret")
    @classmethod
    def _are_secrets(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for one in value:
            check_secret(one.get_secret_value())
        return value

    @field_validator("secret_file")
    @classmethod
    def _hold_secrets(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        for file in value:
            for secret in read_secrets(file):
                check_secret(secret)
        return value

    @field_validator("digest")
    @classmethod
    def _not_negative(cls, value: timedelta) -> timedelta:
        if value < timedelta(0):
            raise ValueError("must not be negative")
        return value

    @model_validator(mode="after")
    def _is_signed(self) -> WebhookSettings:
        if not (self.secret or self.secret_file):
            raise ValueError("has neither secret nor secret_file: without one no receiver can trust it")
        return self

    @property
    def known_as(self) -> str:
        """Its name; without one, the URL's host and a hash of the URL, whose path may be a secret of its own."""
        host = urlsplit(self.url).hostname or ""
        return self.name or f"{host}-{hashlib.sha256(self.url.encode()).hexdigest()[:8]}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """All of them: each signs."""
        written = [one.get_secret_value() for one in self.secret]
        return (*written, *(secret for file in self.secret_file for secret in read_secrets(file)))


def check_secret(text: str) -> None:
    """Raise ValueError on what is no secret of Standard Webhooks; the text is not repeated."""
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(SECRET_PREFIX) or not _FEWEST <= len(key) <= _MOST:
        raise ValueError(f"must be {SECRET_PREFIX} and {_FEWEST} to {_MOST} bytes in base64")


def read_secrets(file: Path) -> list[str]:
    """The secrets of a file, one a line; raises ValueError."""
    try:
        found = file.read_text("utf-8").split()
    except (OSError, UnicodeDecodeError) as fault:
        raise ValueError(f"{file} cannot be read: {getattr(fault, 'strerror', None) or 'no text'}") from None
    if not found:
        raise ValueError(f"{file} holds no secret")
    return found


def endpoint_names(endpoints: Sequence[WebhookSettings]) -> list[str]:
    """The names; raises ValueError where two are alike: deliveries are known by them."""
    names = [one.known_as for one in endpoints]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two endpoints are called {name}: give each a name of its own")
    return names
