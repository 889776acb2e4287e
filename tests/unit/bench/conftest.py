"""The scripts of bench/ are run from their folder: what they share is imported as they do."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "bench"))
