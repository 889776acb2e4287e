"""What to refill, where, how much, by when: pure functions of one log, `restock.feed`. Nothing here reads a clock."""
