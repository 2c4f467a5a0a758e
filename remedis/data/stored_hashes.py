"""Types of the hashes of images in the records `seen.json` and `judged.json`."""

import base64
import binascii
import re
from typing import Annotated

from remedis.data.checks import look_hashes
from remedis.json_records import Expect

_HASH = re.compile(r"[0-9a-f]{64}")


def _is_look(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == look_hashes.STORED_BYTES
    except (binascii.Error, ValueError):
        return False


Sha256 = Annotated[str, Expect("64 hexadecimal digits", lambda of: bool(_HASH.fullmatch(of)))]
# The packed look of an image in Base64.
StoredLook = Annotated[str, Expect(f"{look_hashes.STORED_BYTES} bytes in Base64", _is_look)]
