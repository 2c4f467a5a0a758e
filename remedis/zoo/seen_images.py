"""The images that a model has seen, in a file beside it that does not reveal them.

`seen.json` holds no content hashes, which could be looked up in the hash lists of other hospitals
and of public data. Each content hash is hashed again with a salt, so that only an owner of an image
can test whether the image is in the file.
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
        """Returns the images with these SHA-256 of their files, under a new salt."""
        return cls(secrets.token_hex(16)).extended(hashes)

    def extended(self, hashes: Iterable[str]) -> "SeenImages":
        """Returns these images and those with the given SHA-256 of their files."""
        return SeenImages(self.salt, self.digests.union(map(self._digest, hashes)))

    def count(self, hashes: Iterable[str]) -> int:
        """Returns how many of the images with these SHA-256 of their files are among these."""
        return sum(self._digest(sha256) in self.digests for sha256 in hashes)

    def refuse_seen(
        self, hashes: Collection[str], *, model: str, tests: str, workdir: files.Path
    ) -> None:
        """Raises a UserError if a model has seen some of its test images.

        Images seen without labels count as well.

        Args:
          hashes: SHA-256 of the files of the test images.
          model: the model, as the beginning of the message: `config.checkpoint is FOLDER`.
          tests: name of the test images, such as `in-distribution test`.
          workdir: directory of the run or study that tests on them.
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
        """Returns the images in a folder's `seen.json`, None if it has no such file.

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
