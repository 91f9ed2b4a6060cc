"""Masks as outlines and as run lengths."""
