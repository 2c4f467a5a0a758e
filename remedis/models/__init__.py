"""Networks: the BiT backbone and what is put on it."""
