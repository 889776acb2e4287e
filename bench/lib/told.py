"""What a script found, told: into the document, as JSON, or as a table with its conditions."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from lib import page, render
from tillstream import console


def tell(
    given: argparse.Namespace, found: Mapping[str, Any], name: str, title: str, cells: Sequence[list[str]], said: str
) -> None:
    """`given` has `write` and `json`; `name` is the place in the document, `cells` are a head and rows."""
    head, *rows = cells
    if given.write:
        page.write(name, f"{render.markdown([head, *rows])}\n\n{said}")
    if given.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    console.table(title, head, rows, right=head[1:])
    console.out.print(said, soft_wrap=True)
