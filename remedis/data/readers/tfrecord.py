"""TFRecord shards of a TFDS dataset, read record by record.

Names: `*.tfrecord`, `*.tfrecord-00003-of-00016`.
Items: `offset,feature`: the first byte of the record, and the feature with the encoded image, such
as `1048576,image`.
Result: the encoded bytes, JPEG or PNG.

A record consists of the length of its data (8 bytes, little-endian), a checksum of the length (4),
the data, and a checksum of the data (4); see the TensorFlow guide on TFRecord. The checksums are
not verified: a damaged image does not decode.
"""

import os
import re
import struct
from collections.abc import Iterator

import tensorflow as tf

from remedis import limits
from remedis.data.readers.unreadable import Unreadable
from remedis.regular_files import open_regular

NAMES = re.compile(r"\.tfrecord(-\d+-of-\d+)?$")
_LENGTH, _CHECKSUM = 8, 4


def read_encoded(file: str, item: str) -> bytes:
    """Returns the bytes of an encoded image.

    Raises:
      Unreadable: the file or the record cannot be read, or has no such feature.
    """
    offset, _, feature = item.partition(",")
    try:
        with open_regular(file) as shard:
            shard.seek(int(offset))
            header = shard.read(_LENGTH + _CHECKSUM)
            (length,) = struct.unpack("<Q", header[:_LENGTH])
            # A length beyond the file is damaged; it must not become an allocation.
            most = min(os.fstat(shard.fileno()).st_size, limits.max_encoded_bytes())
            if length > most:
                raise Unreadable(f"No record begins at byte {offset} of the file.")
            example = tf.train.Example.FromString(shard.read(length))
    except OSError as error:
        raise Unreadable(f"The file cannot be read ({error.strerror}).") from error
    except Unreadable:
        raise
    except Exception as error:  # struct.error, ValueError, or protobuf's DecodeError
        raise Unreadable(f"No record begins at byte {offset} of the file.") from error
    values = example.features.feature[feature].bytes_list.value
    if len(values) != 1:
        raise Unreadable(f"The record's feature {feature!r} is not one encoded image.")
    contents: bytes = values[0]
    return contents


def offsets(file: str) -> Iterator[int]:
    """Yields the offset of the first byte of each record in a shard.

    Raises:
      Unreadable: the shard ends in the middle of a record.
    """
    offset = 0
    with open_regular(file) as shard:
        size = os.fstat(shard.fileno()).st_size
        while offset < size:
            shard.seek(offset)
            header = shard.read(_LENGTH)
            end = size + 1
            if len(header) == _LENGTH:
                end = offset + _LENGTH + struct.unpack("<Q", header)[0] + 2 * _CHECKSUM
            if end > size:
                raise Unreadable(f"{file} ends in the middle of a record; copy it again.")
            yield offset
            offset = end
