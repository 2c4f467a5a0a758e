"""The receipt of a leak check, for a page."""

from collections.abc import Mapping
from typing import Any

from remedis.reporting.page_content import Receipt

_UNITS = {"patient_id": "patients", "study_id": "studies", "slide_id": "slides", "sha256": "images"}


def receipt(leaks: Mapping[str, Any] | None) -> Receipt | None:
    """Returns the receipt of a leak check, without patient ids: reports are passed around."""
    if leaks is None:
        return None
    lines = [
        f"{o['count']:,} {_UNITS.get(o['column'], o['column'])} in both {' and '.join(o['splits'])}"
        for o in leaks["overlaps"]
    ]
    lines += [
        f"{one['count']:,} pairs of {_UNITS.get(one['column'], one['column'])} may be one of each, "
        "written in two ways"
        for one in leaks.get("similar_ids", ())
    ]
    lines += leaks["unchecked"]
    lines += [
        f"{n['count']:,} pairs of images that look the same in {' and '.join(n['splits'])}: "
        "a person must look at them"
        for n in leaks.get("near_duplicates", ())
    ]
    lines += [
        f"{count:,} images of {split} identical to another image of {split} (allowed)"
        for split, count in leaks.get("duplicates", {}).items()
        if count
    ]
    return Receipt(leaks["ok"], lines)
