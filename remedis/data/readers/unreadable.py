"""The error of all readers."""


class Unreadable(ValueError):
    """An image cannot be read; the message is one sentence for the list of bad images."""
