"""The command line. Each command lives in a module of `tillstream.commands` and is imported here by name."""

from __future__ import annotations

import importlib
import sys

import typer

from schemas.errors import Refused, Stop, Unavailable
from tillstream import __version__, console, logs

# In the order in which `tillstream --help` shows them. A module has `register(app: typer.Typer) -> None`.
COMMANDS = [
    "demo", "up", "roles", "migrate", "replay", "products", "reconcile", "rebuild", "continue_", "epochs", "check",
    "status", "sql", "alerts", "stock", "policy", "campaign", "demand", "rejected", "webhook",
]  # fmt: skip


# Commands that live in a module of another name.
_MODULES = {"worker": "roles", "sink": "roles", "continue": "continue_"}


def _version(value: bool) -> None:
    if value:
        console.out.print(f"tillstream {__version__}")
        raise typer.Exit


_HELP = """
Real-time retail purchase tracking: what customers buy, where, as it happens.

Examples:

  tillstream demo

  tillstream up

  tillstream status
"""


def make_cli(asked: str | None = None) -> typer.Typer:
    """Build the command line from its modules; with the name of a command, from that one's module alone.

    All of them together take longer to import than a worker's state takes to come back.
    """
    module = _MODULES.get(asked or "", asked)
    app = typer.Typer(
        name="tillstream",
        help=_HELP,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def _root(
        context: typer.Context,
        version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    ) -> None:
        del version
        # Before any command: what the libraries log about a neighbour that is away, the command says in a sentence.
        logs.setup(context.invoked_subcommand or "tillstream")

    for name in [module] if module in COMMANDS else COMMANDS:
        importlib.import_module(f"tillstream.commands.{name}").register(app)
    return app


def main() -> None:
    """Run a command; every error on purpose is a sentence and a hint, never a traceback."""
    try:
        make_cli(sys.argv[1] if len(sys.argv) > 1 else None)()
    except Stop as stop:
        console.fail(stop.sentence, stop.hint)
        sys.exit(1)
    except Refused as refused:
        console.fail(str(refused), refused.hint)
        sys.exit(1)
    except Unavailable as away:
        console.fail(str(away), "Is it running? `tillstream status` tells what answers.")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    main()
