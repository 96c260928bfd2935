"""Headgate: a declarative agent gateway."""

__version__ = "0.1.0"
