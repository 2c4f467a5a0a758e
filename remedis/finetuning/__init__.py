"""Fine-tuning of a checkpoint on labelled images: gradient training and the head alone."""
