"""Tests of the clients of the command line."""
