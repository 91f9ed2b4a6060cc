"""Rounds, campaign and log on disk, and their verification."""
