"""A chain of stores whose truth is known: what customers want, what stands on the shelf, what the books say."""
