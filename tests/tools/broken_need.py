"""A module that needs what is not installed."""

import not_there_at_all  # type: ignore[import-not-found]  # noqa: F401
