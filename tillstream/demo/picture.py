"""`python -m tillstream.demo.picture FILE` runs the demo and draws what it prints as an SVG: README's picture."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import MONOKAI

from tillstream import aio, console, settings
from tillstream.demo.session import Session

WIDTH = 116


class _Wrapping(Console):
    """Wraps every line: a picture cannot be scrolled to the right."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as ever, but for soft_wrap."""
        super().print(*objects, **{**options, "soft_wrap": False})


def draw(file: Path, limit: int | None = None) -> int:
    """Run the demo, write the picture; gives the demo's exit code. Fonts are the reader's own: nothing is fetched."""
    console.out = _Wrapping(record=True, width=WIDTH, force_terminal=True, highlight=False)
    code = aio.run(Session(settings.load(), limit, as_json=False, serve=False).run())
    style = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    console.out.save_svg(str(file), title="make demo", theme=MONOKAI, code_format=style)
    return code


if __name__ == "__main__":
    sys.exit(draw(Path(sys.argv[1])))
