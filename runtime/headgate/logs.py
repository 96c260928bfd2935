"""The process log: one line an event, human on a terminal, JSON elsewhere, without secrets."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import TextIO

import structlog


class Output:
    """A text stream that scrubs what is written; `scrub` follows the live revision and its secrets."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.scrub: Callable[[str], str] = str

    def write(self, text: str) -> int:
        """Writes the text without secrets."""
        return self._stream.write(self.scrub(text))

    def flush(self) -> None:
        """Flushes the stream."""
        self._stream.flush()


def _human() -> structlog.dev.ConsoleRenderer:
    # The richer formats of tracebacks show local variables, and so prompts and keys.
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def configure(level: str) -> Output:
    """Sets up structlog and the standard library's loggers, which speak from warnings on; returns where they write."""
    number = logging.getLevelNamesMapping()[level.upper()]
    human = sys.stderr.isatty()
    output = Output(sys.stderr)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            *([] if human else [structlog.processors.format_exc_info]),
            _human() if human else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(output),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler])
    # The MCP SDK logs with a traceback that a server went away, which the gateway tells by itself (`mcp.lost`).
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    return output
