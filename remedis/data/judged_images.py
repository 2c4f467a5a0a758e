"""The images and patients that a run or a study judges, in a file in its directory.

A later pretraining reads `judged.json` to leave these images and patients out. The file holds
content hashes, look hashes and patient ids: it stays in the run's directory and is no part of an
export.
"""

import base64
import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Annotated

from annotated_types import Len
from typing_extensions import NotRequired, TypedDict

from remedis import files, json_records, limits
from remedis.data import canonical_ids
from remedis.data.checks import look_hashes
from remedis.data.fingerprints import Fingerprints
from remedis.data.stored_hashes import Sha256, StoredLook
from remedis.errors import UserError
from remedis.json_records import Line, Name

FILE = "judged.json"
NOTE = (
    "The images that choose a model or test it, and their patients: SHA-256 of each image file "
    "(of the pixels where there is no such file), patient ids as in the data under `root`, and "
    "hashes by which copies that were resized or encoded again are recognised."
)


class JudgedSetRecord(TypedDict):
    """One split in `judged.json`, of any version.

    Attributes:
      split: name of the split, such as `test`; of a study `id/validation`, `id/test` or `ood/test`.
      root: absolute path of the data's directory: the same patient id elsewhere may be of another
        patient.
      sha256: SHA-256 of each image file, each once; of the pixels where there is no such file.
      patient_ids: ids of the patients, each once.
      looks: hashes by which copies that were resized or encoded again are recognised.
    """

    split: Name
    root: Line
    sha256: Annotated[list[Sha256], Len(1)]
    patient_ids: list[Line]
    looks: NotRequired[list[StoredLook]]


class JudgedRecord(TypedDict):
    """`judged.json`. An empty or a shortened list must not pass for a run that judges nothing.

    Attributes:
      note: a sentence on the content.
      sets: one per split that chooses a model or tests it.
    """

    note: NotRequired[Line]
    sets: Annotated[list[JudgedSetRecord], Len(1)]


@dataclasses.dataclass(frozen=True)
class JudgedSet:
    """The images of one split that a run or a study judges.

    Attributes:
      split: name of the split, such as `test`; of a study `id/validation`, `id/test` or `ood/test`.
      root: absolute path of the data's directory: the same patient id elsewhere may be of another
        patient.
      hashes: SHA-256 of the images, as `scan` computes them, and of the files that packed images
        were made from, sorted, each once.
      patients: canonical patient ids, sorted, each once; images without one add none.
      looks: the hashes `look_hashes.STORED` of the images, 120 bytes each, sorted, each once; none
        in files of earlier versions.
    """

    split: str
    root: pathlib.Path
    hashes: tuple[str, ...]
    patients: tuple[str, ...]
    looks: tuple[bytes, ...] = ()

    @classmethod
    def from_images(cls, split: str, root: files.Path, images: Fingerprints) -> "JudgedSet":
        """Returns images as a set.

        Args:
          split: name of the split.
          root: directory of the data.
          images: of the split, none of them bad.
        """
        return cls(
            split,
            pathlib.Path(os.path.abspath(root)),
            tuple(sorted(images.hashes())),
            tuple(sorted(images.ids("patient_id"))),
            tuple(sorted(set(look_hashes.packed(images.looks()[1])))),
        )


def write(directory: files.Path, sets: Sequence[JudgedSet]) -> None:
    """Writes `judged.json` into a directory, whole or not at all; the same sets give same bytes.

    Args:
      directory: of a run or a study.
      sets: at least one, each of another split.
    """
    assert sets
    assert len({judged.split for judged in sets}) == len(sets)
    values = [
        {
            "split": judged.split,
            "root": os.fspath(judged.root),
            "sha256": judged.hashes,
            "patient_ids": judged.patients,
            "looks": [base64.b64encode(look).decode() for look in judged.looks],
        }
        for judged in sets
    ]
    files.write_json(pathlib.Path(directory) / FILE, {"note": NOTE, "sets": values})


def read(directory: files.Path) -> tuple[JudgedSet, ...]:
    """Returns the sets that `judged.json` in a directory lists, at least one.

    Raises:
      UserError: the file is not there, or is damaged.
    """
    file = pathlib.Path(directory) / FILE
    if not os.path.lexists(file):
        raise UserError(
            f"{os.fspath(directory)} has no {FILE}, which lists the images that a run or a study "
            "judges; run the same command again with this version, which writes it (for a study "
            "--list is enough)."
        )
    advice = (
        "remove it and run the same command again, which writes it (for a study --list is enough)"
    )
    return _parsed(json_records.read(file, JudgedRecord, advice, limits.MAX_FINGERPRINT_BYTES))


def _parsed(content: JudgedRecord) -> tuple[JudgedSet, ...]:
    """Returns the sets of a `judged.json`."""
    return tuple(
        JudgedSet(
            values["split"],
            pathlib.Path(values["root"]),
            tuple(values["sha256"]),
            # Earlier files have the ids as the data spell them.
            tuple(sorted(set(map(canonical_ids.canonical, values["patient_ids"])))),
            tuple(base64.b64decode(look) for look in values.get("looks", ())),
        )
        for values in content["sets"]
    )
