"""python bench/restock/run.py: see --help. The other files of this folder are its parts."""

from __future__ import annotations

import sys
from pathlib import Path

# What the scripts of bench/ share is imported from there.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from restock.command import main

if __name__ == "__main__":
    main()
