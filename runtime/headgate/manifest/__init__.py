"""Files become documents and diagnostics; nothing here knows a kind of manifest."""
