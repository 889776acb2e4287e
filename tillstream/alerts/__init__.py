"""Alerts: found in ClickHouse, explained by their figures, and acted upon through the log."""
