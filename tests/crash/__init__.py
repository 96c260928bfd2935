"""Gateways that are killed."""
