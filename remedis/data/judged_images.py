"""The images and patients that a run or a study judges, in a file in its directory.

A later pretraining reads `judged.json` to leave these images and patients out. The file holds
content hashes, look hashes and patient ids: it stays in the run's directory and is no part of an
export.
"""

import base64
import dataclasses
import os
import pathlib
import re
from collections.abc import Sequence
from typing import Any

from remedis import files
from remedis.data import canonical_ids
from remedis.data.checks import look_hashes
from remedis.data.fingerprints import Fingerprints
from remedis.errors import UserError

FILE = "judged.json"
NOTE = (
    "The images that choose a model or test it, and their patients: SHA-256 of each image file "
    "(of the pixels where there is no such file), patient ids as in the data under `root`, and "
    "hashes by which copies that were resized or encoded again are recognised."
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


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
    if not file.is_file():
        raise UserError(
            f"{os.fspath(directory)} has no {FILE}, which lists the images that a run or a study "
            "judges; run the same command again with this version, which writes it (for a study "
            "--list is enough)."
        )
    try:
        return _parsed(files.read_json(file))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{file} is damaged ({error}); remove it and run the same command again, which writes "
            "it (for a study --list is enough)."
        ) from error


def _parsed(content: Any) -> tuple[JudgedSet, ...]:
    """Returns the sets of a parsed `judged.json`; raises a ValueError where it is not of its form.

    An empty or a shortened list must not pass for a run that judges nothing.
    """
    sets = []
    for values in content["sets"]:
        split, root = values["split"], values["root"]
        hashes, patients = values["sha256"], values["patient_ids"]
        if not isinstance(hashes, list) or not hashes or not all(map(_SHA256.fullmatch, hashes)):
            raise ValueError(f"'sha256' of {split!r} is no list of SHA-256 in hexadecimal")
        if not isinstance(patients, list) or not all(isinstance(name, str) for name in patients):
            raise ValueError(f"'patient_ids' of {split!r} is no list of texts")
        if not isinstance(split, str) or not isinstance(root, str):
            raise ValueError("'split' and 'root' are not texts")
        # Earlier files have the ids as the data spell them.
        spelt = sorted(set(map(canonical_ids.canonical, patients)))
        looks = tuple(base64.b64decode(look, validate=True) for look in values.get("looks", ()))
        if any(len(look) != look_hashes.STORED_BYTES for look in looks):
            raise ValueError(f"'looks' of {split!r} is no list of hashes")
        sets.append(JudgedSet(split, pathlib.Path(root), tuple(hashes), tuple(spelt), looks))
    if not sets:
        raise ValueError("it lists no set")
    return tuple(sets)
