"""How fast the gateway is, beside floors that were measured in the same run: `python -m benchmarks --help`."""
