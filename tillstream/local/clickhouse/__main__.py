"""`python -m tillstream.local.clickhouse --bind 127.0.0.1:8123 --path DIR` serves until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import errno
import fcntl
import signal
import sys
from pathlib import Path

from aiohttp import web

from schemas.errors import Stop
from tillstream import console
from tillstream.local.clickhouse.engine import Engine
from tillstream.local.clickhouse.server import LOOPBACK, make_app


async def serve(host: str, port: int, path: Path) -> None:
    """Serve until a signal; raises Stop where the address or the directory cannot be had."""
    if host not in LOOPBACK:
        raise Stop(
            f"The embedded ClickHouse listens on loopback only, not on {host}.",
            "Set TILLSTREAM_CLICKHOUSE_URL to http://127.0.0.1:8123/tillstream, or run a real ClickHouse.",
        )
    with (path / "tillstream.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Stop(f"Another process uses {path}.", "Stop it, or set another TILLSTREAM_DATA_DIR.") from None
        stop = asyncio.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        engine = Engine(path / "engine")
        # aiohttp undoes zstd only with a package more: all compression is undone in one place, tillstream's own.
        runner = web.AppRunner(
            make_app(engine), access_log=None, handle_signals=False, shutdown_timeout=5, auto_decompress=False
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            sys.stdout.write(f"clickhouse listening on {host}:{port}\n")
            sys.stdout.flush()
            await stop.wait()
        except OSError as fault:
            if fault.errno != errno.EADDRINUSE:
                raise
            raise Stop(
                f"Port {port} of {host} is taken by another program.",
                "Stop it, or set another port in TILLSTREAM_CLICKHOUSE_URL.",
            ) from None
        finally:
            await runner.cleanup()
            engine.close()


def main() -> None:
    """Read the arguments, serve."""
    parser = argparse.ArgumentParser(prog="python -m tillstream.local.clickhouse", description=__doc__)
    parser.add_argument("--bind", default="127.0.0.1:8123")
    parser.add_argument("--path", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.path.mkdir(parents=True, exist_ok=True)
    host, _, port = arguments.bind.rpartition(":")
    try:
        asyncio.run(serve(host, int(port), arguments.path))
    except Stop as stop:
        console.fail(stop.sentence, stop.hint)
        sys.exit(1)


if __name__ == "__main__":
    main()
