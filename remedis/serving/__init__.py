"""A model behind an address: engines, batches of requests, and the interfaces of clients."""
