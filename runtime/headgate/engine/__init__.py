"""Runs plans: one loop, one dispatch, committed steps, an event log per run. Knows no HTTP."""
