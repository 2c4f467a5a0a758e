"""Predictions of other people's models: reading, truth, evaluation."""
