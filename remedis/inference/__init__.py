"""Use of a finished model: predictions, embeddings, re-scoring, recalibration, probes."""
