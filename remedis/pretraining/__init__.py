"""Self-supervised pretraining: from unlabelled images to a checkpoint."""
