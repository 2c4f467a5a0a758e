"""Which checkpoints exist, and how they are stored, checked and loaded."""
