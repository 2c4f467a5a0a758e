"""Decoded images as batches: reading, caching, sampling, partners, the tf.data pipeline."""
