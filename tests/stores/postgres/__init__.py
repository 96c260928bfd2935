"""The ledger's statements on PostgreSQL: the door for a back-end that is not in the package yet."""
