"""The ledger in SQL: one schema and one set of statements, on whichever database."""
