"""The bytes of a SavedModel's graph, bounded before they are parsed.

Parsed, a graph takes up to 100 times its size in memory: every field becomes an object. The pixels
of a constant, the weights of a frozen graph, take what they take in the file. They may be large,
and the rest may not.
"""

import dataclasses
import pathlib

from remedis import limits, regular_files

# Field numbers from the file to the content of a constant (saved_model.proto and those below it):
# SavedModel.meta_graphs, MetaGraphDef.graph_def, then GraphDef.node, or GraphDef.library,
# FunctionDefLibrary.function, FunctionDef.node_def; NodeDef.attr, its value, AttrValue.tensor,
# TensorProto.tensor_content.
_IN_NODE: dict[int, object] = {5: {2: {8: {4: None}}}}
_PATHS: dict[int, object] = {2: {2: {1: _IN_NODE, 2: {1: {3: _IN_NODE}}}}}
# A frozen 152x2 has 20,000 operations, with a dozen fields each on these paths.
_MOST_FIELDS = 2_000_000
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
_TOO_LARGE = "more than {:,} bytes besides constants"


def read(file: pathlib.Path) -> bytes:
    """Returns the content of `saved_model.pb`.

    Raises:
      OSError: it cannot be read or is no regular file; it has more than `limits.MAX_FROZEN_BYTES`,
        or more than `limits.MAX_GRAPH_BYTES` besides the content of constants.
    """
    content = regular_files.read_bytes(file, limits.MAX_FROZEN_BYTES)
    if len(content) <= limits.MAX_GRAPH_BYTES:
        return content
    try:
        constants = _Walk(memoryview(content)).constants(0, len(content), _PATHS)
    except (IndexError, ValueError):  # the parser says what is wrong; it gets no such bytes
        constants = 0
    if len(content) - constants > limits.MAX_GRAPH_BYTES:
        raise OSError(_TOO_LARGE.format(limits.MAX_GRAPH_BYTES))
    return content


@dataclasses.dataclass
class _Walk:
    """A walk through the wire format of protocol buffers, which reads no more than lengths.

    Attributes:
      content: of the file.
      left: fields that may still be read.
    """

    content: memoryview
    left: int = _MOST_FIELDS

    def constants(self, start: int, end: int, paths: object) -> int:
        """Returns the bytes of constants in the message from `start` to `end`.

        Raises:
          IndexError: the message ends within a field.
          ValueError: it is no message, or has too many fields.
        """
        found = 0
        while start < end:
            self.left -= 1
            if self.left < 0:
                raise ValueError("too many fields")
            tag, start = self._number(start)
            field, kind = tag >> 3, tag & 7
            if kind == _BYTES:
                length, start = self._number(start)
                if start + length > end:
                    raise IndexError
                below = paths.get(field, 0) if isinstance(paths, dict) else 0
                if below is None:
                    found += length
                elif below:
                    found += self.constants(start, start + length, below)
                start += length
            elif kind == _VARINT:
                _, start = self._number(start)
            elif kind in (_FIXED64, _FIXED32):
                start += 8 if kind == _FIXED64 else 4
            else:
                raise ValueError(f"wire type {kind}")
        return found

    def _number(self, start: int) -> tuple[int, int]:
        """Returns the varint at a position, and the position behind it."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self.content[start]
            start += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value, start
        raise ValueError("a number of more than 10 bytes")
