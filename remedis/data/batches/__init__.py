"""Batches of decoded images: reading, caching, sampling, pairing, the tf.data pipeline."""
