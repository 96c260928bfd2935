"""The vocabulary of the gateway: no I/O, no framework."""
