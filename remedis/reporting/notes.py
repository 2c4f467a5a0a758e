"""Sentences that every report carries, worded once."""

RANDOM_WEIGHTS = "RANDOM WEIGHTS: nothing here was pretrained"
RESEARCH_USE = "Research software, not a diagnostic device."
