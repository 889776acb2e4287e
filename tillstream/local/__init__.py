"""Embedded servers: the broker, ClickHouse over chDB, demo data, the supervisor."""
