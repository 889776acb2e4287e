"""Messages that could not be counted: found in ClickHouse, shown, and sent again."""
