"""The receipt of a leak check, for a page."""

from collections.abc import Mapping
from typing import Any

from remedis.errors import counted
from remedis.reporting.page_content import Receipt

_UNITS = {"patient_id": "patient", "study_id": "study", "slide_id": "slide", "sha256": "image"}
_PLURALS = {"study": "studies"}


def receipt(leaks: Mapping[str, Any] | None) -> Receipt | None:
    """Returns the receipt of a leak check, without patient ids: reports are passed around."""
    if leaks is None:
        return None
    lines = [
        f"{_counted(o['count'], o['column'])} in both {' and '.join(o['splits'])}"
        for o in leaks["overlaps"]
    ]
    lines += [
        f"{counted(one['count'], 'pair')} of {_plural(one['column'])} may be one of each, "
        "written in two ways"
        for one in leaks.get("similar_ids", ())
    ]
    lines += leaks["unchecked"]
    lines += [
        f"{counted(n['count'], 'pair')} of images that look the same in "
        f"{' and '.join(n['splits'])}: a person must look at them"
        for n in leaks.get("near_duplicates", ())
    ]
    lines += [
        f"{counted(count, 'image')} of {split} identical to another image of {split} (allowed)"
        for split, count in leaks.get("duplicates", {}).items()
        if count
    ]
    return Receipt(leaks["ok"], lines)


def _counted(number: int, column: str) -> str:
    """Returns a number of what a column identifies, such as `1 study` or `2 patients`."""
    unit = _UNITS.get(column, column)
    return counted(number, unit, _PLURALS.get(unit, ""))


def _plural(column: str) -> str:
    return _counted(2, column).partition(" ")[2]
