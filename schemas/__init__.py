"""What crosses a boundary: receipts, stock movements, rows, alerts, topics. Imports nothing of ours."""
