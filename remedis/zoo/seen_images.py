"""Which images a model has seen, in a file beside it that gives none of them away.

`seen.json` holds no content hash: those could be looked up in the hash lists of other hospitals and
of public data. It holds each one hashed once more with a salt, so that only who has an image can
tell whether it is among them.
"""

import dataclasses
import hashlib
import pathlib
import secrets
from collections.abc import Collection, Iterable

from remedis import files
from remedis.errors import UserError
from remedis.zoo import resolve

FILE = "seen.json"
NOTE = (
    "SHA-256 of the salt followed by the SHA-256 (hexadecimal) of each image file that the model "
    "was trained, chosen or calibrated on."
)


@dataclasses.dataclass(frozen=True)
class SeenImages:
    """The images a model was trained, chosen or calibrated on, with labels or without.

    Attributes:
      salt: hexadecimal.
      digests: of the images.
    """

    salt: str
    digests: frozenset[str] = frozenset()

    @classmethod
    def from_hashes(cls, hashes: Iterable[str]) -> "SeenImages":
        """Returns images by the SHA-256 of their files, with a new salt."""
        return cls(secrets.token_hex(16)).extended(hashes)

    def extended(self, hashes: Iterable[str]) -> "SeenImages":
        """Returns these images and others, by the SHA-256 of their files."""
        return SeenImages(self.salt, self.digests.union(map(self._digest, hashes)))

    def count(self, hashes: Iterable[str]) -> int:
        """Returns how many of some images are among these."""
        return sum(self._digest(one) in self.digests for one in hashes)

    def refuse_seen(
        self, hashes: Collection[str], *, model: str, tests: str, workdir: files.Path
    ) -> None:
        """Raises a UserError if some of the images a model is to be judged on are among these.

        Unlabelled images count as well: what a network has looked at is not new to it.

        Args:
          hashes: SHA-256 of the files of the test images.
          model: whose images these are, as the message begins: `config.checkpoint is FOLDER`.
          tests: what the test images are called, such as `in-distribution test`.
          workdir: of the run or study that tests on them.
        """
        if count := self.count(hashes):
            raise UserError(
                f"{model}, which was trained on {count:,} of the {len(hashes):,} {tests} images "
                f"(its {FILE}); choose other test images, or train it without them, which a "
                f"pretraining does by --config.leave_out={workdir}."
            )

    def write(self, directory: files.Path) -> None:
        """Writes `seen.json` into a directory."""
        values = {"note": NOTE, "salt": self.salt, "digests": sorted(self.digests)}
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
        """Returns what a directory says, None if it has no `seen.json`.

        Raises:
          UserError: the file is damaged.
        """
        file = pathlib.Path(directory) / FILE
        if not file.is_file():
            return None
        try:
            values = files.read_json(file)
            return cls(str(values["salt"]), frozenset(values["digests"]))
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"{file} is damaged ({error}); copy the folder again.") from error

    def _digest(self, content: str) -> str:
        return hashlib.sha256(f"{self.salt}{content}".encode()).hexdigest()
