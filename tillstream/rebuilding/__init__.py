"""Epochs that begin, take another's place and are removed: `rebuild`, `continue`, `epochs`."""
