"""Decimals that stand in a message as text, to integers of their scale, exactly."""

from __future__ import annotations

from schemas.numbers import NumberFault, Scale


def scaled(name: str, text: str, scale: Scale) -> int:
    """A decimal that may be negative, in units of its scale's last place; raises ValueError that names the field."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    try:
        return sign * scale.parse(digits)
    except NumberFault as fault:
        raise ValueError(f"{name} {fault}") from None


def maybe_scaled(name: str, text: str | None, scale: Scale) -> int | None:
    """Likewise, or None where there is none."""
    return None if text is None else scaled(name, text, scale)
