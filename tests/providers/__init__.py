"""Tests of the provider family."""
