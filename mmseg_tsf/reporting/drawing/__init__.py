"""Colours, charts and small pictures."""
