"""Every setting, declared once. Environment first, then the TOML file, then the default.

A name in the environment is `TILLSTREAM_` and the field's name in upper case; in the file it is the field's
name. Secrets may come from a file: `TILLSTREAM_KAFKA_SASL_PASSWORD_FILE` names one.
"""

from __future__ import annotations

import difflib
import os
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from schemas.errors import Stop
from tillstream.units import Duration, Size
from tillstream.webhook_settings import WebhookSettings, endpoint_names

PREFIX = "TILLSTREAM_"
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
# Read elsewhere, not settings: which file to read, and where the fault suite has a worker die (streams/failpoints.py).
NOT_SETTINGS = {"TILLSTREAM_CONFIG", "TILLSTREAM_FAILPOINT"}
# Tables of the file; what is at fault in them is named by its path.
FILE_ONLY = {"policy", "webhooks"}


class Settings(BaseSettings):
    """The settings of every role. See docs/settings.md, which a test holds against this class."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True)

    kafka_url: str = Field("kafka://127.0.0.1:9092", description="Kafka brokers: kafka://host:port[,host:port…]")
    clickhouse_url: SecretStr = Field(
        SecretStr("http://127.0.0.1:8123/tillstream"),
        description="ClickHouse: http[s]://[user:password@]host:port/database",
    )
    web_bind: str = Field("127.0.0.1:8080", description="where `web` listens")
    metrics_bind: str = Field("127.0.0.1:9100", description="where /metrics is served")
    metrics_token: SecretStr = Field(
        SecretStr(""), description="bearer token that /metrics asks for; must be set beyond loopback"
    )
    window: Duration = Field(timedelta(minutes=5), description="length of a window; divides an hour")
    grace: Duration = Field(
        timedelta(hours=96), description="how long after its end a window stays open, by event time"
    )
    max_skew: Duration = Field(
        timedelta(minutes=10), description="how far ahead of its record's Kafka timestamp a receipt may be"
    )
    partitions: int = Field(8, ge=1, le=10_000, description="partitions of every topic")
    retention: Duration = Field(
        timedelta(seconds=-1),
        description="how long pos.receipts and stock.movements are kept; -1 is for ever",
    )
    keep_lines: Duration = Field(timedelta(days=400), description="how long receipt_lines are kept; 0 writes none")
    embedded_max: Size = Field(
        2 * 1024**3, description="how much input the embedded broker may hold, in memory; then `up` stops"
    )
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Kafka's security protocol"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "PLAIN", description="SASL mechanism"
    )
    kafka_sasl_username: str = Field("", description="SASL user")
    kafka_sasl_password: SecretStr = Field(SecretStr(""), description="SASL password")
    kafka_ca_file: Path | None = Field(None, description="certificate authority of the brokers, PEM")
    kafka_cert_file: Path | None = Field(None, description="client certificate, PEM")
    kafka_key_file: Path | None = Field(None, description="key of the client certificate, PEM")
    webhook_allow_private: bool = Field(False, description="whether webhooks may go to private addresses")
    max_alert_age: Duration = Field(timedelta(hours=24), description="older alerts are not sent")
    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("tillstream", appauthor=False)),
        description="state of the embedded servers",
    )
    topic_prefix: str = Field("", pattern=r"^[A-Za-z0-9._-]*$", description="put before every topic and group")
    policy: list[dict[str, Any]] = Field(default_factory=list, description="restock policies, [[policy]] in the file")
    webhooks: list[WebhookSettings] = Field(
        default_factory=list, description="webhook endpoints (see webhooks.md), [[webhooks]] in the file"
    )

    @field_validator("window")
    @classmethod
    def _window_divides_an_hour(cls, value: timedelta) -> timedelta:
        seconds = value.total_seconds()
        if seconds < 1 or seconds != int(seconds) or 3600 % int(seconds):
            raise ValueError("must be whole seconds that divide an hour, for example 1m, 5m, 15m or 1h")
        return value

    @field_validator("grace", "max_skew")
    @classmethod
    def _not_negative(cls, value: timedelta) -> timedelta:
        if value < timedelta(0) or value.total_seconds() != int(value.total_seconds()):
            raise ValueError("must be whole seconds, not negative")
        return value

    @field_validator("webhooks")
    @classmethod
    def _endpoints_have_names_of_their_own(cls, value: list[WebhookSettings]) -> list[WebhookSettings]:
        endpoint_names(value)
        return value

    @field_validator("kafka_url")
    @classmethod
    def _kafka_scheme(cls, value: str) -> str:
        if not value.startswith("kafka://"):
            raise ValueError("must start with kafka://")
        return value

    @property
    def kafka_servers(self) -> list[str]:
        """host:port of each broker."""
        hosts = self.kafka_url.removeprefix("kafka://").rstrip("/").split(",")
        return [host if ":" in host else f"{host}:9092" for host in hosts]

    @property
    def clickhouse_database(self) -> str:
        """The database that the ClickHouse URL names."""
        return urlsplit(self.clickhouse_url.get_secret_value()).path.strip("/") or "tillstream"

    @property
    def window_us(self) -> int:
        """Window in microseconds."""
        return self.window // timedelta(microseconds=1)

    @property
    def grace_us(self) -> int:
        """Grace in microseconds."""
        return self.grace // timedelta(microseconds=1)

    @property
    def max_skew_us(self) -> int:
        """Largest accepted skew in microseconds."""
        return self.max_skew // timedelta(microseconds=1)

    @property
    def retention_ms(self) -> int:
        """Retention of the input topics, as Kafka wants it."""
        return -1 if self.retention < timedelta(0) else self.retention // timedelta(milliseconds=1)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # fixed by pydantic-settings
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # ours is `…_FILE`, one file a secret
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Explicit values, then the environment, then the TOML file."""
        file = Path(os.environ.get("TILLSTREAM_CONFIG", "tillstream.toml"))
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file))


def load(**overrides: Any) -> Settings:
    """Read the settings; raises Stop with one sentence a fault, and the nearest known name for an unknown one."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    secrets = {name for name, field in Settings.model_fields.items() if field.annotation is SecretStr}
    from_files: dict[str, Any] = {}
    for name, value in os.environ.items():
        if not name.startswith(PREFIX) or name in known or name in NOT_SETTINGS:
            continue
        secret = name.removeprefix(PREFIX).removesuffix("_FILE").lower()
        if name.endswith("_FILE") and secret in secrets:
            from_files[secret] = _read_secret(name, value)
            continue
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        raise Stop(f"{name} is no setting of tillstream.", f"Did you mean {nearest[0]}?" if nearest else "")
    configured = os.environ.get("TILLSTREAM_CONFIG")
    if configured and not Path(configured).is_file():
        raise Stop(f"TILLSTREAM_CONFIG names {configured}, which is no file.")
    try:
        return Settings(**{**from_files, **overrides})
    except ValidationError as fault:
        raise Stop(_sentence(fault), "See docs/settings.md.") from None
    except ValueError as fault:  # the TOML file cannot be read
        raise Stop(f"{configured or 'tillstream.toml'}: {fault}") from None


def _read_secret(name: str, file: str) -> str:
    try:
        return Path(file).read_text("utf-8").strip()
    except OSError as fault:
        raise Stop(f"{name}: {fault.strerror}: {file}") from None


def _sentence(fault: ValidationError) -> str:
    parts = []
    for error in fault.errors(include_input=False, include_url=False):
        field = str(error["loc"][0]) if error["loc"] else "settings"
        if len(error["loc"]) > 1 or field in FILE_ONLY:
            parts.append(f"{_path(error['loc'])} {_fault_of_a_table(error)}")
        elif error["type"] == "extra_forbidden":
            nearest = difflib.get_close_matches(field, Settings.model_fields, n=1, cutoff=0.5)
            parts.append(f"{field} is no setting" + (f" (did you mean {nearest[0]}?)" if nearest else ""))
        else:
            parts.append(f"{PREFIX}{field.upper()}: {error['msg'].removeprefix('Value error, ')}")
    return "; ".join(parts) + "."


def _fault_of_a_table(error: ErrorDetails) -> str:
    """What is wrong with a field of `[[webhooks]]`, to stand after its name."""
    field = str(error["loc"][-1])
    if error["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(field, WebhookSettings.model_fields, n=1, cutoff=0.5)
        return "is no field of it" + (f" (did you mean {nearest[0]}?)" if nearest else "")
    if error["type"] == "missing":
        return "is missing"
    told = error["msg"]
    return told.removeprefix("Value error, ") if told.startswith("Value error, ") else f"is wrong: {told}"


def _path(places: tuple[int | str, ...]) -> str:
    """`webhooks[1].url`: where in the file, its tables counted from 1."""
    text = ""
    for place in places:
        text += f"[{place + 1}]" if isinstance(place, int) else f".{place}" if text else place
    return text
