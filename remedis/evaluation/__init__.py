"""Metrics with intervals. Nothing here needs TensorFlow."""
