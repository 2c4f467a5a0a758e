"""An export packed as one archive for TF Hub and Kaggle Models: `.tar.gz`, files at its root.

The archive has the files of an export and no others, which may lie in the folder by accident. It
holds no links, owners, times or paths of the machine, so that one folder gives the same bytes
everywhere (with one version of zlib).
"""

import dataclasses
import gzip
import io
import os
import pathlib
import re
import tarfile
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from remedis import files, limits, regular_files
from remedis.errors import UserError
from remedis.zoo import card, checkpoint, licences, resolve
from remedis.zoo.export import (
    CARD,
    DESCRIPTION,
    METADATA,
    REFERENCE,
    RUN_RECORD,
    SEEN,
    Description,
)

SUFFIXES = (".tar.gz", ".tgz")
LEFT_OUT_SEEN = (
    f"{SEEN} is left out: it would let its receiver find out whether an image or a patient was "
    "among the images of the training. Without it, the receiver's commands cannot tell "
    "which images the model has seen: tell the receiver yourself. --with-seen includes it."
)
WITH_SEEN = (
    f"{SEEN} is included: whoever has the archive can find out whether an image, a copy of one or "
    "a patient id was among the images of the training."
)
LEFT_OUT_REFERENCE = (
    f"{REFERENCE} is left out: it holds embeddings of single test patients, without ids. Without "
    "it, `remedis evaluate` cannot tell the receiver whether images and scores have drifted. "
    "--with-reference includes it."
)
WITH_REFERENCE = (
    f"{REFERENCE} is included: it holds embeddings of single test patients, without ids. Whoever "
    "has the archive and an image can find out whether the image is among them."
)
_FILES = (
    "saved_model.pb",
    "fingerprint.pb",
    DESCRIPTION,
    METADATA,
    CARD,
    RUN_RECORD,
    "projection.npz",
)
_VARIABLES = re.compile(r"variables/variables\.(index|data-\d{5}-of-\d{5})")
_LEVEL = 6  # of compression: 9 takes far longer, and weights shrink by a tenth at most
_DIRECTORIES = ("assets", "variables")


@dataclasses.dataclass(frozen=True)
class Packed:
    """An archive.

    Attributes:
      archive: its path.
      name: of the model.
      sha256: of the archive.
      bytes: its size.
      members: names of the files in it.
      left_out: names of files and folders in the packed folder that are not in it.
      seen: whether `seen.json` is in it; None if the folder has none.
      reference: the same of `reference.npz`.
      handle: `OWNER/model/TensorFlow2/VARIATION/VERSION`, as Kaggle Models names it.
      licences: the licence chain of the model.
    """

    archive: pathlib.Path
    name: str
    sha256: str
    bytes: int
    members: tuple[str, ...]
    left_out: tuple[str, ...]
    seen: bool | None
    reference: bool | None
    handle: str
    licences: Sequence[licences.LicenceRecord]


def pack(
    folder: files.Path, out: files.Path, with_seen: bool = False, with_reference: bool = False
) -> Packed:
    """Packs an export of this package into an archive, whole or not at all.

    Args:
      folder: of a backbone or a classifier, or the directory of a run, which stands for its export.
      out: the archive, `.tar.gz` or `.tgz`.
      with_seen: include `seen.json`, which allows tests of membership (SECURITY.md).
      with_reference: include `reference.npz`, embeddings of single patients (SECURITY.md).

    Raises:
      UserError: `out` exists or has another ending, the folder is no export of this package, or one
        of its files is a link that leads out of it.
    """
    out = pathlib.Path(out)
    if not out.name.endswith(SUFFIXES):
        raise UserError(f"--out={out}: expected a name that ends in {' or '.join(SUFFIXES)}.")
    files.refuse_existing(out)
    path = resolve.export_folder(folder)
    description = checkpoint.describe(path)
    if description is None:
        raise UserError(
            f"{path} has no {DESCRIPTION}: only folders that remedis wrote are packed. Build a "
            "folder from it first: remedis build --weights=release:DIR, and read its terms."
        )
    names = sorted(_names(path))
    asked = {SEEN: with_seen, REFERENCE: with_reference}
    included = {name: asked[name] for name in asked if os.path.lexists(path / name)}
    names = sorted([*names, *(name for name, wanted in included.items() if wanted)])
    for name in names:
        _check_inside(path, name)
    with files.whole_file(out, overwrite=False) as temporary, open(temporary, "wb") as file:
        _write(file, path, names, keep_seen=included.get(SEEN, True))
    present = {p.relative_to(path).as_posix() for p in path.rglob("*")}
    return Packed(
        archive=out,
        name=description.name,
        sha256=files.sha256(out),
        bytes=out.stat().st_size,
        members=tuple(names),
        left_out=tuple(sorted(present - {*names, *_DIRECTORIES})),
        seen=included.get(SEEN),
        reference=included.get(REFERENCE),
        handle=f"OWNER/{_slug(description)}/TensorFlow2/default/1",
        licences=description.licences or licences.chain(description.provenance),
    )


def _names(folder: pathlib.Path) -> Iterator[str]:
    """Yields the names of an export's files but those that only an option includes."""
    yield from (name for name in _FILES if os.path.lexists(folder / name))
    for path in folder.glob("variables/*"):
        name = path.relative_to(folder).as_posix()
        if _VARIABLES.fullmatch(name):
            yield name


def _check_inside(folder: pathlib.Path, name: str) -> None:
    """Raises a UserError unless a file is a regular one within the folder."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(
            f"{path} is a link that leads out of the folder; pack a copy: cp -rL {folder} COPY."
        )
    try:
        regular_files.check_regular(path)
    except regular_files.NotRegular as error:
        raise UserError(str(error)) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error


def _write(file: BinaryIO, folder: pathlib.Path, names: Sequence[str], keep_seen: bool) -> None:
    """Writes the archive; of a folder without its `seen.json`, the card does not mention it."""
    with (
        # Name and time would stand in the header.
        gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as compressed,
        tarfile.open(mode="w", fileobj=compressed, format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in _DIRECTORIES:
            archive.addfile(_info(name, tarfile.DIRTYPE, 0o755))
        for name in names:
            if name == CARD and not keep_seen:
                text = regular_files.read_bytes(folder / name, limits.MAX_JSON_BYTES)
                content = card.without_seen_images(text.decode("utf-8", "surrogateescape"))
                data = content.encode("utf-8", "surrogateescape")
                archive.addfile(_info(name, tarfile.REGTYPE, 0o644, len(data)), io.BytesIO(data))
                continue
            with regular_files.open_regular(folder / name) as opened:
                size = os.fstat(opened.fileno()).st_size
                archive.addfile(_info(name, tarfile.REGTYPE, 0o644, size), opened)


def _info(name: str, kind: bytes, mode: int, size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)  # its time, owner and group are 0 and empty
    info.type, info.mode, info.size = kind, mode, size
    return info


def _slug(description: Description) -> str:
    """Returns a name with the letters that an address may have."""
    return re.sub(r"[^a-z0-9]+", "-", description.name.lower()).strip("-") or "model"
