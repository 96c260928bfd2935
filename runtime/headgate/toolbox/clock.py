"""Dates and times."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field

from headgate.core.errors import ToolError
from headgate.manifest.diagnostics import suggest


def local_time(
    timezone: Annotated[str, Field(description="IANA name of the time zone, such as Europe/Berlin")] = "UTC",
) -> dict[str, str]:
    """The current date, time and weekday in a time zone; raises `ToolError` for an unknown one."""
    known = available_timezones() | {"UTC"}
    if timezone not in known:
        guess = next((name for name in known if name.lower() == timezone.lower()), None) or suggest(timezone, known)
        raise ToolError("unknown_timezone", f"{timezone!r} is no time zone{f'; try {guess}' if guess else ''}")
    now = datetime.now(ZoneInfo(timezone))
    return {"timezone": timezone, "date": f"{now:%Y-%m-%d}", "time": f"{now:%H:%M:%S}", "weekday": f"{now:%A}"}
