"""Documents and kinds in, a snapshot or every finding out."""
