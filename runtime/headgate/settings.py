"""Process settings: what must be known before a tree can be read (`HEADGATE_*`)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from the environment; the command line overrides them."""

    model_config = SettingsConfigDict(env_prefix="HEADGATE_", extra="ignore")

    tree: Path = Path()
    """The root of the manifest tree."""
    host: str | None = None
    """Overrides `[server] host`."""
    port: int | None = None
    """Overrides `[server] port`."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What the log holds."""
    state_dir: Path | None = None
    """Where generated secrets and the last good bundle are kept; `.headgate` in the tree when it is not given."""
