"""HTTP header fields as manifests write them (RFC 9110 §5)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
"""The name of a field."""
HeaderValue = Annotated[str, Field(pattern=r"^[^\x00-\x08\x0a-\x1f\x7f]*$")]
"""The value of a field."""
