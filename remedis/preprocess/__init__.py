"""Image bytes to network inputs: decoding, operations, and specifications that combine them."""

from remedis.preprocess import operations, recipes  # operations: the import registers them
from remedis.preprocess.registry import Preprocess, parse

__all__ = ["Preprocess", "operations", "parse", "recipes"]
