"""Tests of the compile room."""
