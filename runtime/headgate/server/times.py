"""Times in queries: a day, a moment, or epoch seconds."""

from __future__ import annotations

from datetime import UTC, datetime

from headgate.core.errors import Invalid


def moment(text: str | None, name: str) -> float | None:
    """Epoch seconds of ISO 8601 (UTC unless it says otherwise) or of a number; None stays. Raises `Invalid`."""
    if text is None:
        return None
    try:
        found = float(text) if text.replace(".", "", 1).isdigit() else _parsed(text)
    except (ValueError, OverflowError):
        found = -1.0
    if not 0 <= found < 1e11:
        raise Invalid(
            f"{name} is no time: write 2026-11-30, 2026-11-30T12:00:00Z or epoch seconds", code="invalid_time"
        )
    return found


def _parsed(text: str) -> float:
    # A '+' that was not escaped in a query arrives as a space.
    found = datetime.fromisoformat(text.replace(" ", "+"))
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
