"""Trees that the tests compile: broken ones with their golden findings, and a sample that uses every key."""
