"""Tests of the core vocabulary."""
