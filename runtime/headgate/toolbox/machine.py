"""The machine that the gateway runs on."""

from __future__ import annotations

import shutil
from pathlib import Path


def disk_space() -> dict[str, float]:
    """Total, used and free space in GiB, and the percentage used, of the disk that holds the working directory."""
    usage = shutil.disk_usage(Path.cwd())
    gib = float(1 << 30)
    return {
        "total_gib": round(usage.total / gib, 1),
        "used_gib": round(usage.used / gib, 1),
        "free_gib": round(usage.free / gib, 1),
        "used_percent": round(100 * usage.used / usage.total, 1),
    }
