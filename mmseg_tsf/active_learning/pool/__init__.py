"""The pool, and the pass in which a network shows what it thinks of it."""
