"""Image bytes to network inputs: decoding, operations, and specifications strung from them."""

from remedis.preprocess import operations, recipes  # the former registers the operations
from remedis.preprocess.registry import Preprocess, parse

__all__ = ["Preprocess", "operations", "parse", "recipes"]
