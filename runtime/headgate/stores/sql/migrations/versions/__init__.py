"""One module for each step of the schema; revisions are numbered, so that a newer one is known by its number."""
