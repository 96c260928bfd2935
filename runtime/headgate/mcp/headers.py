"""HTTP header fields as manifests write them (RFC 9110 §5)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
"""The name of a field."""
HeaderValue = Annotated[str, Field(pattern=r"^[\t\x20-\x7e]*$")]
"""The value of a field: visible ASCII, spaces and tabs, which is all that senders should use."""
