"""What a reader raises."""


class Unreadable(ValueError):
    """An image cannot be read; the message is one sentence for the list of bad images."""
