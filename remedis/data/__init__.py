"""Data: manifests, sources, splits, checks and batches."""
