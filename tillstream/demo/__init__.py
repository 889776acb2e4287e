"""The demo: embedded stack, a year of real receipts, the proof, and what they show."""
