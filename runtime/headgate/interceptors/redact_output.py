"""What a running tool says, redacted as it says it."""

from __future__ import annotations

import threading
from typing import Any

from headgate.core.context import ToolContext
from headgate.interceptors.redact_text import Redactor, Window


class Outputs:
    """Stands before `ToolContext.output` and `emit`; its methods may be called from any thread."""

    def __init__(self, redactor: Redactor, ctx: ToolContext) -> None:
        self._redactor, self._ctx = redactor, ctx
        self._windows: dict[str, Window] = {}
        self._lock = threading.Lock()

    def emit(self, kind: str, /, **data: Any) -> None:
        """See `Emit`."""
        self._ctx.emit(kind, **self._redactor.value(data))

    def output(self, stream: str, text: str, /) -> None:
        """See `Output`."""
        with self._lock:
            told = self._windows.setdefault(stream, Window(self._redactor)).feed(text)
        if told:
            self._ctx.output(stream, told)

    def flush(self) -> None:
        """The call has ended: tells what was held."""
        with self._lock:
            rest = [(stream, window.flush()) for stream, window in self._windows.items()]
        for stream, told in rest:
            if told:
                self._ctx.output(stream, told)
