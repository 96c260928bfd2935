"""Tests of `headgate.stores`."""
