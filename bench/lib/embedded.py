"""Settings for an embedded stack of its own, whose files end with the block."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from tillstream.local.launch import free_port
from tillstream.settings import Settings


@contextmanager
def settings_of_its_own() -> Iterator[Settings]:
    """Ports that are free, and a folder that ends with the block; what runs there is started by whoever asks."""
    with tempfile.TemporaryDirectory(prefix="tillstream-bench-", ignore_cleanup_errors=True) as folder:
        yield Settings(
            kafka_url=f"kafka://127.0.0.1:{free_port()}",
            clickhouse_url=SecretStr(f"http://127.0.0.1:{free_port()}/tillstream"),
            metrics_bind="127.0.0.1:0",
            data_dir=Path(folder),
        )
