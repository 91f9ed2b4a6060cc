"""Readers of what tools and people hand in: one for each kind of content, each with its limits."""
