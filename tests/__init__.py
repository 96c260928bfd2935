"""The tests mirror the package; each says one behaviour."""
