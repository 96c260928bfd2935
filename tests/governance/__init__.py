"""What the rules of a tree hold against every way around them."""
