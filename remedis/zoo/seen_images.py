"""The images that a model has seen, in a file beside it by which they are known again.

`seen.json` holds, for the images that a model was trained, chosen or calibrated on:

- the SHA-256 of each image file, hashed again with a salt;
- the look of each image (`remedis.data.checks.look_hashes`), combined with a mask that follows from
  the salt: copies that were resized, encoded again, packed or cropped a little are known again;
- the ids of patients and studies, hashed with the salt, by data set.

The salt is drawn for every model and stands in the file. So two files cannot be compared with each
other, nor with a list of hashes, and nobody reads an id by accident. It does not protect against
someone who has the file and takes the trouble: short ids can be found by trying all of them, and
the look of an image shows which of 16 x 16 areas are brighter than their neighbours. Delete the
file before the model leaves the hospital if that is too much; the checks then say that they know
nothing.

Size: about 75 bytes per image for the hash, 170 for the look, and 27 per patient and per study: 53
MB for 200,000 images of 67,000 patients and 100,000 studies, written and read in 3 s.
"""

import base64
import dataclasses
import hashlib
import os
import pathlib
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import NotRequired, TypedDict

from remedis import files, json_records, limits
from remedis.data.checks import look_hashes
from remedis.data.fingerprints import Fingerprints, beyond_chance
from remedis.data.stored_hashes import Sha256, StoredLook
from remedis.errors import UserError, some
from remedis.json_records import Line, Name
from remedis.options import spelled
from remedis.zoo import export, resolve

FILE = export.SEEN
NOTE = (
    "The images that the model was trained, chosen or calibrated on. 'digests': SHA-256 of the "
    "salt followed by the SHA-256 (hexadecimal) of each image file. 'looks': hashes by which "
    "copies are known again, under a mask of the salt. 'ids': BLAKE2b of ids, the salt as key."
)
_LOOK_LIKE = "images that look like"
_KINDS = {"patient_id": "patients", "study_id": "studies"}

Ids = Mapping[str, Mapping[str, frozenset[str]]]


class SeenRecord(TypedDict):
    """`seen.json`, of any version.

    Attributes:
      note: a sentence on the content.
      salt: drawn for every model, 32 hexadecimal digits.
      digests: one per image file: SHA-256 of the salt and the file's own SHA-256.
      looks: one per image: hashes by which copies are recognised, under a mask of the salt.
      ids: digest of the data set -> `patient_id` or `study_id` -> salted hashes of the ids.
      complete: whether looks and ids of all images are there. Earlier versions recorded none.
    """

    note: NotRequired[Line]
    salt: Line
    digests: list[Sha256]
    looks: NotRequired[list[StoredLook]]
    ids: NotRequired[dict[Line, dict[Name, list[Line]]]]
    complete: NotRequired[bool]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What a model has seen of some images.

    Attributes:
      refusals: parts of a sentence, such as "3 of the 60 test images"; each makes a test worthless.
      warnings: sentences on what may have been seen, and on what could not be compared.
    """

    refusals: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class SeenImages:
    """The images a model was trained, chosen or calibrated on, with labels or without.

    Attributes:
      salt: hexadecimal.
      digests: of the image files, and of the files that packed images were made from.
      looks: [n, 2, 8] uint64, hashes of `look_hashes.STORED`, without the mask.
      ids: by digest of the data set, digests of its `patient_id` and `study_id`.
      complete: whether looks and ids of all images are there; earlier versions recorded none.
    """

    salt: str
    digests: frozenset[str] = frozenset()
    looks: npt.NDArray[np.uint64] = dataclasses.field(
        default_factory=lambda: look_hashes.unpacked([], len(look_hashes.STORED))
    )
    ids: Ids = dataclasses.field(default_factory=dict)
    complete: bool = True

    @classmethod
    def from_hashes(cls, hashes: Iterable[str]) -> "SeenImages":
        """Returns the images with these SHA-256 of their files, under a new salt."""
        return cls(secrets.token_hex(16)).extended(hashes)

    @classmethod
    def from_images(cls, *images: Fingerprints) -> "SeenImages":
        """Returns the images, under a new salt."""
        return cls(secrets.token_hex(16)).extended(*images)

    def extended(self, *images: Fingerprints | Iterable[str]) -> "SeenImages":
        """Returns these images and the given ones, or those with the given SHA-256 of files."""
        seen = self
        for added in images:
            if isinstance(added, Fingerprints):
                seen = seen._with(added)
            else:
                hashes = list(added)
                seen = dataclasses.replace(
                    seen,
                    digests=seen.digests.union(map(self._digest, hashes)),
                    complete=seen.complete and not hashes,
                )
        return seen

    def count(self, hashes: Iterable[str]) -> int:
        """Returns how many of the images with these SHA-256 of their files are among these."""
        return sum(self._digest(sha256) in self.digests for sha256 in hashes)

    def compared(
        self, images: Fingerprints, name: str, allow_similar_images: bool = False
    ) -> Comparison:
        """Returns what the model has seen of some images.

        An image counts as seen if its file, or the file it was packed from, is among the seen
        ones. Patients and studies are compared if both data sets are the same, that is of the same
        published source or of the same directory: the ids of two hospitals may coincide. Images
        that look like seen ones count if there are more than chance explains
        (`fingerprints.beyond_chance`); fewer are a warning with their names.

        Args:
          images: for instance those of a test set.
          name: of the images, such as `test`.
          allow_similar_images: only warn of images that look like seen ones, however many: slides
            or drawings may look alike without being copies.
        """
        table = images.table
        hashes = images.hashes()
        same = images.having({h for h in hashes if self._digest(h) in self.digests})
        refusals, warnings = [], []
        if same.any():
            refusals.append(f"{int(same.sum()):,} of the {len(images):,} {name} images")
        refusals += self._known_ids(images, name)
        if len(self.looks):
            stored, apart = images.alike(self.looks)
            looks = np.flatnonzero((stored >= 0) & ~same)
            if count := len(looks):
                nearest = looks[np.argsort(apart[looks], kind="stable")]
                listed = some([table["path"].iloc[i] for i in nearest[:5]], count)
                many = beyond_chance(count, len(images))
                if many and not allow_similar_images:
                    refusals.append(
                        f"{_LOOK_LIKE} {count:,} of the {len(images):,} {name} images "
                        f"({listed}), as copies do that were resized or encoded again"
                    )
                else:
                    few = "" if many else ", so few that it may be chance"
                    warnings.append(
                        f"{count:,} of the {len(images):,} {name} images look like images that the "
                        f"model was trained on{few}: look at {listed}."
                    )
        if not self.complete:
            warnings.append(
                "Copies that were resized or encoded again are not recognised among the images "
                f"that an earlier version wrote into {FILE}, nor are patients."
            )
        return Comparison(tuple(refusals), tuple(warnings))

    def refuse_seen(
        self,
        images: Fingerprints,
        *,
        model: str,
        tests: str,
        workdir: files.Path,
        allow_similar_images: bool = False,
    ) -> tuple[str, ...]:
        """Raises a UserError if a model has seen some of its test images or patients.

        Images seen without labels count as well. See `compared` for what counts.

        Args:
          images: the test images.
          model: the model, as the beginning of the message: `config.checkpoint is FOLDER`.
          tests: name of the test images, such as `in-distribution test`.
          workdir: directory of the run or study that tests on them.
          allow_similar_images: as for `compared`.

        Returns:
          Sentences on what may have been seen, and on what could not be compared.
        """
        found = self.compared(images, tests, allow_similar_images)
        if found.refusals:
            looks = any(part.startswith(_LOOK_LIKE) for part in found.refusals)
            advice = (
                f"; if they are other images, set {spelled('allow_similar_images')}"
                if looks
                else ""
            )
            raise UserError(
                f"{model}, which was trained on {' and '.join(found.refusals)} (its {FILE}); "
                "choose other test images, or train it without them, which a pretraining does by "
                f"--config.leave_out={workdir}{advice}."
            )
        return found.warnings

    def write(self, directory: files.Path) -> None:
        """Writes `seen.json` into a directory."""
        mask = self._mask()
        looks = [np.frombuffer(look, np.uint8) ^ mask for look in look_hashes.packed(self.looks)]
        values = {
            "note": NOTE,
            "salt": self.salt,
            "digests": sorted(self.digests),
            # Sorted, so that the order of the images is not given away.
            "looks": sorted({base64.b64encode(look.tobytes()).decode() for look in looks}),
            "ids": {
                space: {kind: sorted(ids) for kind, ids in by_kind.items()}
                for space, by_kind in sorted(self.ids.items())
            },
            "complete": self.complete,
        }
        files.write_json(pathlib.Path(directory) / FILE, values)

    @classmethod
    def from_checkpoint(cls, spec: str) -> "SeenImages":
        """Returns the images that some weights were trained on, none where that is not known.

        Only the exports of our own runs hold such a file.

        Args:
          spec: of the weights, see `resolve`.

        Raises:
          UserError: there is no such folder, or its file is damaged.
        """
        folder = resolve.parse(spec).folder
        return (folder and cls.read(folder)) or cls.from_hashes(())

    @classmethod
    def read(cls, directory: files.Path) -> "SeenImages | None":
        """Returns the images in a folder's `seen.json`, None if it has no such file.

        Raises:
          UserError: the file is damaged.
        """
        file = pathlib.Path(directory) / FILE
        if not os.path.lexists(file):
            return None
        values = json_records.read(
            file, SeenRecord, "copy the folder again", limits.MAX_FINGERPRINT_BYTES
        )
        return cls._parsed(values)

    @classmethod
    def _parsed(cls, values: Mapping[str, Any]) -> "SeenImages":
        """Returns the images of a `seen.json`; that of version 0.1 has digests alone."""
        seen = cls(str(values["salt"]), frozenset(values["digests"]))
        masked = np.frombuffer(
            b"".join(base64.b64decode(row, validate=True) for row in values.get("looks", ())),
            np.uint8,
        ).reshape(-1, look_hashes.STORED_BYTES)
        looks = look_hashes.unpacked([(masked ^ seen._mask()).tobytes()], len(look_hashes.STORED))
        ids = {
            str(space): {str(kind): frozenset(digests) for kind, digests in by_kind.items()}
            for space, by_kind in values.get("ids", {}).items()
        }
        complete = bool(values.get("complete", not seen.digests))
        return dataclasses.replace(seen, looks=looks, ids=ids, complete=complete)

    def _with(self, images: Fingerprints) -> "SeenImages":
        """Returns these images and those with the given fingerprints."""
        rows, hashes = images.looks()
        space = self._keyed("data set", images.id_space)
        before = self.ids.get(space, {})
        own = {
            kind: before.get(kind, frozenset()).union(
                self._keyed(kind, name) for name in images.ids(kind)
            )
            for kind in _KINDS
        }
        looks = np.concatenate([self.looks, hashes[:, list(look_hashes.STORED)]])
        return dataclasses.replace(
            self,
            digests=self.digests.union(map(self._digest, images.hashes())),
            looks=looks,
            ids={**self.ids, space: own},
            complete=self.complete and len(rows) == len(images),
        )

    def _known_ids(self, images: Fingerprints, name: str) -> list[str]:
        """Returns how many patients and studies are among these, as parts of a sentence."""
        by_kind = self.ids.get(self._keyed("data set", images.id_space), {})
        found = []
        for kind, noun in _KINDS.items():
            ids = images.ids(kind)
            seen = by_kind.get(kind, frozenset())
            if count := sum(self._keyed(kind, one) in seen for one in ids):
                found.append(f"{count:,} of the {len(ids):,} {noun} of the {name} images")
        return found

    def _digest(self, content: str) -> str:
        return hashlib.sha256(f"{self.salt}{content}".encode()).hexdigest()

    def _keyed(self, kind: str, name: str) -> str:
        """Returns the digest of an id or a name, 16 hexadecimal digits."""
        key = self.salt.encode()[:64]
        return hashlib.blake2b(f"{kind}/{name}".encode(), digest_size=8, key=key).hexdigest()

    def _mask(self) -> npt.NDArray[np.uint8]:
        """Returns the mask of a look, [120] uint8."""
        stream = hashlib.shake_256(f"{self.salt}/looks".encode()).digest(look_hashes.STORED_BYTES)
        return np.frombuffer(stream, np.uint8)
