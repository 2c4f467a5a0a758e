"""Whole slides: tiles, and the annotations that label them."""
