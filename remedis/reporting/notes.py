"""Sentences that every report contains."""

RANDOM_WEIGHTS = "RANDOM WEIGHTS: nothing here was pretrained"
BEGAN_RANDOM = "Began as RANDOM WEIGHTS: everything was learnt from these images"
RESEARCH_USE = "Research software, not a diagnostic device."
NOT_OURS = "predictions of others: nothing is known of the weights and of what trained them."
