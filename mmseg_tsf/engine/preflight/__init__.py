"""Checks that run before any training time is spent."""
