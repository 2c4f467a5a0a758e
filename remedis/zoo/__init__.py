"""Checkpoints: their names and records, and how they are stored, checked and loaded."""
