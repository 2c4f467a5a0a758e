"""Checks before training: unreadable files, leaks, near-duplicates, the doctor."""
