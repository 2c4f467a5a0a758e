"""What recognises images and their patients in other data: hashes, looks and ids."""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis.data.checks import look_hashes
from remedis.data.manifest import Manifest
from remedis.data.tables.strings import STRING

# The hash of the file that a packed image was made from; `remedis prepare` writes it.
ORIGINAL = "original_sha256"
# Sources of published data, whose ids mean the same in every copy.
_PUBLISHED = (
    *("chestxray14", "chexpert", "mimic_cxr", "openi", "padchest"),
    *("patch_camelyon", "vindr_cxr", "wilds_camelyon17"),
)
# Sources whose patients are those of another data set.
_PATIENTS_OF = {"rsna_pneumonia": "chestxray14"}
_IDS = ("patient_id", "study_id")
# Images that look like those of other data are copies from this number and this share of all. Fewer
# may be chance: among 28 million pairs of radiographs of different patients none look alike, but a
# test of 5,000 images against 200,000 others compares 1,000 million.
_MANY, _MANY_SHARE = 3, 0.01


# Tables have no plain equality, so these objects are compared by identity.
@dataclasses.dataclass(frozen=True, eq=False)
class Fingerprints:
    """The images of one data set, as other data are compared with them.

    Attributes:
      table: one row per image: `path`, `sha256` of the image file, `original_sha256` of the file
        that it was packed from (missing if it was not packed), `look` (`look_hashes.look_hash`;
        missing if unknown), and the canonical `patient_id` and `study_id` (missing if unknown).
      id_space: name of the data set; equal ids of equal data sets are of one patient or study.
    """

    table: pd.DataFrame
    id_space: str

    @classmethod
    def from_manifest(cls, images: Manifest, by_path: pd.DataFrame) -> "Fingerprints":
        """Returns the fingerprints of the images of a manifest.

        Args:
          images: none of them bad.
          by_path: `sha256` and `look` by path, as `scan` returns them; it may hold other images.
        """
        paths = images.table["path"]
        scanned = by_path.loc[paths, ["sha256", "look"]].reset_index(drop=True)
        original = originals(images.table)
        table = scanned.astype(object).assign(
            path=paths.astype(object).to_numpy(),
            **{ORIGINAL: original.astype(object).to_numpy()},
            **{name: images.table[name].astype(object).to_numpy() for name in _IDS},
        )
        return cls(table, id_space(images))

    def __len__(self) -> int:
        return len(self.table)

    def hashes(self) -> set[str]:
        """Returns the SHA-256 of the image files and of the files they were packed from."""
        return set(self.table["sha256"]) | set(self.table[ORIGINAL].dropna())

    def ids(self, column: str) -> set[str]:
        """Returns the distinct ids of a column."""
        return set(self.table[column].dropna())

    def having(self, hashes: set[str]) -> npt.NDArray[np.bool_]:
        """Returns which images have one of these SHA-256, of their own or of their original."""
        listed = self.table["sha256"].isin(hashes) | self.table[ORIGINAL].dropna().isin(
            hashes
        ).reindex(self.table.index, fill_value=False)
        return listed.to_numpy(dtype=bool)

    def looks(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
        """Returns the rows of images whose look is known, and their hashes, [rows, 3, 8]."""
        known = np.flatnonzero(self.table["look"].notna().to_numpy(dtype=bool))
        return known, look_hashes.unpacked(self.table["look"].iloc[known])

    def alike(self, stored: "npt.NDArray[np.uint64] | Fingerprints") -> look_hashes.Alike:
        """Returns for every image the stored one that looks most like it, if one looks alike.

        Args:
          stored: [m, 2, 8] hashes as of `look_hashes.STORED`, or the images that have them.
        """
        found = np.full(len(self), -1, np.int64)
        apart = np.full(len(self), look_hashes.BITS, np.int64)
        rows, hashes = self.looks()
        if isinstance(stored, Fingerprints):
            stored_rows, stored_hashes = stored.looks()
            stored_hashes = np.ascontiguousarray(stored_hashes[:, list(look_hashes.STORED)])
        else:
            stored_rows, stored_hashes = np.arange(len(stored)), stored
        result = look_hashes.alike(hashes, stored_hashes)
        hit = result.stored >= 0
        found[rows[hit]] = stored_rows[result.stored[hit]]
        apart[rows] = result.apart
        return look_hashes.Alike(found, apart)


def originals(table: pd.DataFrame) -> pd.Series:
    """Returns the hash of the file that each image was packed from, missing if it was not.

    A user's column of the same name that holds something else counts as missing.

    Args:
      table: of a manifest.
    """
    if ORIGINAL not in table:
        return pd.Series(None, table.index, dtype=object)
    known = table[ORIGINAL].astype(STRING)
    is_hash = known.str.fullmatch("[0-9a-f]{64}").fillna(False).astype(bool)
    return known.where(is_hash).astype(object)


def joined(parts: Sequence[Fingerprints]) -> Fingerprints:
    """Returns the images of several parts of one data set."""
    table = pd.concat([part.table for part in parts], ignore_index=True)
    return Fingerprints(table, parts[0].id_space)


def beyond_chance(count: int, total: int) -> bool:
    """Returns whether more images look like those of other data than chance explains.

    Args:
      count: number of images that do.
      total: number of images that were compared.
    """
    return count >= max(_MANY, _MANY_SHARE * total)


def id_space(images: Manifest) -> str:
    """Returns the name of the data set that the ids of a manifest belong to.

    It is the source of published data, or the one whose patients they are, else the directory: the
    same patient id in another directory may be of another hospital's patient.
    """
    if images.packed_from:
        return images.packed_from
    if images.source in _PUBLISHED:
        return images.source
    if images.source in _PATIENTS_OF:
        return _PATIENTS_OF[images.source]
    return f"directory {os.path.realpath(images.root)}"
