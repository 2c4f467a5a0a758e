"""Whole slides: tissue, tiles, and outlines of tumours."""
