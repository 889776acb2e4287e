"""`tillstream rebuild`: every figure anew from the log, beside the running ones, and then in their place."""

from __future__ import annotations

from typing import Annotated

import typer

from tillstream import aio, console, logs
from tillstream import settings as settings_module
from tillstream.commands.reconcile import show as show_report
from tillstream.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("rebuild")
    def rebuild(
        window: Annotated[str | None, typer.Option(help="Length of a window; default: TILLSTREAM_WINDOW.")] = None,
        grace: Annotated[str | None, typer.Option(help="Grace after its end; default: TILLSTREAM_GRACE.")] = None,
        max_skew: Annotated[str | None, typer.Option(help="Bound on skew; default: TILLSTREAM_MAX_SKEW.")] = None,
        accept_loss: Annotated[
            bool, typer.Option("--accept-loss", help="Also where the log no longer holds all that was counted.")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Compute every figure anew from the log, beside the running ones, then take their place at once.

        So window, grace or the bound on skew are changed, and damaged tables mended.
        Workers and sinks keep running, and go over to the new epoch by themselves.
        It takes its place only if it reconciles; exits with 1 otherwise.
        Interrupted, the next call goes on where it stood.

        [bold]Examples[/]

          tillstream rebuild

          tillstream rebuild --window 15m --grace 120h

          tillstream rebuild --json
        """
        from tillstream.rebuilding.rebuild import rebuild as run

        logs.setup("rebuild")
        given = {"window": window, "grace": grace, "max_skew": max_skew}
        settings = settings_module.load(**{name: value for name, value in given.items() if value is not None})
        with console.progress() as bar:
            done = aio.run(run(settings, console.note, bar, accept_loss=accept_loss))
        if as_json:
            console.emit_json(
                {
                    "epoch": done.epoch.epoch,
                    "window_seconds": done.epoch.window,
                    "grace_seconds": done.epoch.grace,
                    "max_skew_seconds": done.epoch.max_skew,
                    "replaced": done.replaced,
                    "goes_on": done.goes_on,
                    "rows": done.report.rows,
                    "different": done.report.different,
                    "seconds": done.seconds,
                }
            )
        else:
            show_report(done.report)
            for sentence in sentences(done.epoch.epoch, done.replaced, done.goes_on, settings, settings_module.load()):
                console.out.print(sentence, soft_wrap=True, markup=False)
        raise typer.Exit(0 if done.replaced else 1)


def sentences(number: int, replaced: list[int], goes_on: list[str], settings: Settings, before: Settings) -> list[str]:
    """What was done and what is left to do, for people."""
    if not replaced:
        return [f"epoch {number} does not reconcile and takes no place; what was live is live"]
    said = [f"epoch {number} is live in place of epoch {', '.join(map(str, replaced))}"]
    changed = [
        f"TILLSTREAM_{name.upper()}={getattr(settings, name).total_seconds():.0f}s"
        for name in ("window", "grace", "max_skew")
        if getattr(settings, name) != getattr(before, name)
    ]
    if changed:
        said.append(f"set {' '.join(changed)} wherever a role runs, before it is started the next time")
    said += [
        f"no {role} runs: start one with `tillstream {role}`" for role in ("worker", "sink") if role not in goes_on
    ]
    said += [f"`tillstream epochs remove {one}` removes the rows and the changelog of epoch {one}" for one in replaced]
    return said
