"""Networks: the BiT trunk and what is put on it."""
