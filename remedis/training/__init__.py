"""The loop, its schedules, its checkpoints, and fine-tuning."""
