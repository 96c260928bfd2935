"""Small functions that `kind: function` tools of the reference deployment call; they work offline."""
