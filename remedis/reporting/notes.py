"""Sentences that every report contains."""

RANDOM_WEIGHTS = "RANDOM WEIGHTS: nothing here was pretrained"
RESEARCH_USE = "Research software, not a diagnostic device."
