"""The command `pack`: an export as one archive."""

import argparse
import dataclasses
import logging
import shlex
from typing import Any

from rich.console import Group
from rich.text import Text

from remedis.cli import output
from remedis.errors import some

_LOG = logging.getLogger(__name__)


def add(commands: Any) -> None:
    """Adds the command to the subparsers of the main command."""
    pack = commands.add_parser(
        "pack",
        help="packs a checkpoint, an export or a run's export as one .tar.gz to share",
        description="Packs a folder that remedis wrote as one .tar.gz, its files at the root, as "
        "TF Hub and Kaggle Models take it. The same folder gives the same bytes. seen.json, by "
        "which images and patients of the training can be recognised, and reference.npz, "
        "embeddings of single test patients, are left out.",
    )
    pack.add_argument(
        "model", metavar="FOLDER", help="of a checkpoint or an export, or a run's directory"
    )
    add = pack.add_argument
    add("--out", required=True, metavar="FILE", help="archive to write, name.tar.gz")
    add("--with-seen", action="store_true", help="include seen.json; read SECURITY.md first")
    add(
        "--with-reference",
        action="store_true",
        help="include reference.npz, by which drift is found later; read SECURITY.md first",
    )
    output.add_table_arguments(pack, "--table")
    pack.set_defaults(run=_pack)


def _pack(parsed: argparse.Namespace) -> int:
    from remedis.reporting.run_info import property_table
    from remedis.zoo import licences
    from remedis.zoo import pack as packing

    packed = packing.pack(parsed.model, parsed.out, parsed.with_seen, parsed.with_reference)
    folder = packed.archive.name.removesuffix(".gz").removesuffix(".tgz").removesuffix(".tar")
    to, archive = shlex.quote(folder), shlex.quote(str(packed.archive))
    lines = [
        f"Load it: mkdir {to} && tar -xzf {archive} -C {to}, then hub.load({folder!r}). From a "
        "disk, hub.load takes folders only; from http(s):// it takes the archive.",
        f"On Kaggle Models: {packed.handle}; OWNER is your account, and you choose the rest.",
    ]
    if packed.seen is not None:
        lines.append(packing.WITH_SEEN if packed.seen else packing.LEFT_OUT_SEEN)
    if packed.reference is not None:
        lines.append(packing.WITH_REFERENCE if packed.reference else packing.LEFT_OUT_REFERENCE)
    if strange := [n for n in packed.left_out if n not in ("seen.json", "reference.npz")]:
        lines.append(f"Left out, since they are no part of an export: {some(strange)}.")
    open_links = licences.unchecked(packed.licences)
    if unstated := [link["name"] for link in open_links if licences.is_unstated(link)]:
        lines.append(f"No terms are stated for {some(unstated)}: state them in MODEL_CARD.md.")
    if any(link["kind"] == "data" and licences.is_unstated(link) for link in open_links):
        lines.append(
            "If you set config.data_terms when you train, the terms of your data are in "
            "remedis.json as well."
        )
    if others := [link for link in open_links if not licences.is_unstated(link)]:
        lines.append("Before you share it, read the terms that nobody has checked:")
        lines += [f"  {link['kind']}: {licences.sentence(link)}" for link in others]
    properties = {
        "archive": str(packed.archive),
        "model": packed.name,
        "size": f"{packed.bytes:,} bytes",
        "SHA-256": packed.sha256,
        "files": ", ".join(packed.members),
    }
    values = {**dataclasses.asdict(packed), "notes": lines}
    output.show_table(parsed, Group(property_table(properties), *map(Text, lines)), values)
    return 0
