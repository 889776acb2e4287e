"""Read a topic, write it somewhere, then commit."""
