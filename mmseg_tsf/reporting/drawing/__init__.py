"""Palettes, charts and thumbnails."""
