"""The prompts and resources of the fake MCP server over stdio."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

NOTES = {
    "name": "notes",
    "uri": "memo://notes",
    "mimeType": "text/plain",
    "description": "What\u200b there is.",
    "size": 6,
}
CONTENTS: dict[str, list[dict[str, Any]]] = {
    "memo://notes": [{"uri": "memo://notes", "mimeType": "text/plain", "text": "inside"}],
    "memo://both": [
        {"uri": "memo://both/a", "text": "first"},
        {"uri": "memo://both/b.bin", "mimeType": "application/octet-stream", "blob": "AAEC"},
    ],
    "memo://none": [],
}


class Library(ABC):
    """Answers what is asked about prompts and resources, two entries a page."""

    modern: bool

    @abstractmethod
    def result(self, identity: Any, **result: Any) -> None:
        """Answers a request."""

    @abstractmethod
    def error(self, identity: Any, code: int, message: str, **data: Any) -> None:
        """Refuses a request."""

    def _page(self, identity: Any, params: dict[str, Any], noun: str, entries: list[dict[str, Any]]) -> None:
        start = int(params.get("cursor") or 0)
        more = {"nextCursor": str(start + 2)} if start + 2 < len(entries) else {}
        cached = {"ttlMs": 0, "cacheScope": "private"} if self.modern else {}
        self.result(identity, **{noun: entries[start : start + 2]}, **more, **cached)

    def on_prompts_list(self, identity: Any, params: dict[str, Any]) -> None:
        """The prompts."""
        about = [{"name": "who", "description": "Whom to greet.", "required": True}]
        self._page(identity, params, "prompts", [{"name": "greeting", "description": "Greets.", "arguments": about}])

    def on_prompts_get(self, identity: Any, params: dict[str, Any]) -> None:
        """A prompt, filled in."""
        who = (params.get("arguments") or {}).get("who")
        if params.get("name") != "greeting" or who is None:
            self.error(identity, -32602, "there is no such prompt, or it lacks an argument")
            return
        said = {"type": "text", "text": f"Greet {who}\u202e."}
        self.result(identity, description="Greets.", messages=[{"role": "user", "content": said}])

    def on_resources_list(self, identity: Any, params: dict[str, Any]) -> None:
        """The resources."""
        others = [{"name": f"more {n}", "uri": f"memo://more/{n}"} for n in range(4)]
        self._page(identity, params, "resources", [NOTES, *others])

    def on_resources_templates_list(self, identity: Any, params: dict[str, Any]) -> None:
        """Templates of resources."""
        self._page(identity, params, "resourceTemplates", [{"name": "any memo", "uriTemplate": "memo://{name}"}])

    def on_resources_read(self, identity: Any, params: dict[str, Any]) -> None:
        """One resource."""
        found = CONTENTS.get(params.get("uri", ""))
        if found is None:
            self.error(identity, -32602, f"there is no resource {params.get('uri')}")
            return
        cached = {"ttlMs": 0, "cacheScope": "private"} if self.modern else {}
        self.result(identity, contents=found, **cached)
