"""Lands with the fold."""
