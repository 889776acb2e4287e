"""Put what a script measured into a document, between two comments that name it; the rest stays as it is."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"


def replaced(text: str, name: str, body: str) -> str:
    """The document with `body` between `<!-- NAME: begin … -->` and `<!-- NAME: end -->`."""
    pattern = re.compile(rf"(<!-- {re.escape(name)}: begin[^>]*-->\n).*?(<!-- {re.escape(name)}: end -->)", re.DOTALL)
    changed, many = pattern.subn(lambda found: f"{found[1]}{body.strip()}\n{found[2]}", text)
    if many != 1:
        raise ValueError(f"The document has {many} places for {name}, not one.")
    return changed


def write(name: str, body: str, page: Path = PAGE) -> None:
    """Replace it in the document itself."""
    page.write_text(replaced(page.read_text("utf-8"), name, body), "utf-8")
