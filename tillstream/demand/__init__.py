"""How SKUs sell in the stores that have them, for stores that have no sales of them yet."""
