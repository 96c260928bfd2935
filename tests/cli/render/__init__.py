"""Tests of how the command line shows a run."""
