"""The `remedis` command."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from remedis.errors import UserError

# What `remedis doctor` ends with if it finds errors; 1 is for wrong arguments.
UNWELL = 2


class _Parser(argparse.ArgumentParser):
    """Ends with one line and status 1, as every user's mistake does; argparse would take 2."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        parsed = _parser().parse_args(arguments)
        status: int = parsed.run(parsed)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        print(f"error: {where}{error.strerror or error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted.", file=sys.stderr)
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="remedis",
        description="Foundation models for medical imaging. Research software, not a diagnostic "
        "device.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    listing = commands.add_parser("list", help="the published checkpoints and what people ask")
    listing.set_defaults(run=_list)
    info = commands.add_parser("info", help="everything about a checkpoint, by name or folder")
    info.add_argument("what", metavar="NAME_OR_DIR", help="checkpoint name, or SavedModel folder")
    info.set_defaults(run=_info)
    _add_doctor(commands)
    _add_prepare(commands)
    _add_augmentations(commands)
    return parser


def _add_doctor(commands: Any) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="reads data as training would, and says what is wrong with them",
        description="Reads data as training would, before training: counts, unreadable files, "
        "sizes, values, duplicates, leaks between splits, labels with too few patients.",
        epilog="Exit status: 0 nothing worse than warnings, 1 wrong arguments or a table that "
        f"cannot be read, {UNWELL} errors found.",
    )
    _add_data(doctor)
    add = doctor.add_argument
    add("--checkpoint", metavar="DIR", help="hold the images against what this folder expects")
    add("--split_unit", default="patient_id", metavar="UNIT", help="patient_id or slide_id")
    add("--splits", metavar="NAME=SHARE,...", help="as config.splits: train=0.7,validation=0.1,...")
    add("--split_seed", type=int, default=0, metavar="N", help="as config.split_seed; 0")
    add("--uncertain", metavar="POLICY", help="as config.uncertain: ignore, zeros or ones")
    add("--unmentioned", metavar="POLICY", help="as config.unmentioned: ignore, zeros or ones")
    add("--cache", metavar="FILE", help="parquet file that remembers the images looked at")
    add("--json", action="store_true", help="print everything as JSON")
    doctor.set_defaults(run=_doctor)


def _add_prepare(commands: Any) -> None:
    prepare = commands.add_parser(
        "prepare",
        help="packs data, decoded and resized, into a TFDS dataset, the source 'tfds'",
        description="Decodes and resizes every image once and packs the data into the shards of a "
        "TFDS dataset, which is a source like any other: config.source = 'tfds'. Images become "
        "8-bit PNGs.",
    )
    _add_data(prepare)
    add = prepare.add_argument
    add("--out", required=True, metavar="DIR", help="directory to make; must not exist")
    add("--name", required=True, help="of the dataset, such as my_hospital")
    add("--preprocess", required=True, metavar="SPEC", help="what to do, such as 'resize(512)'")
    prepare.set_defaults(run=_prepare)


def _add_augmentations(commands: Any) -> None:
    augmentations = commands.add_parser(
        "augmentations", help="draws what every operation and recipe makes of an image"
    )
    augmentations.add_argument("image", metavar="IMAGE", help="a JPEG, PNG or DICOM file")
    augmentations.add_argument("--out", required=True, metavar="FIGURE.png")
    augmentations.add_argument("--seed", type=int, default=0)
    augmentations.set_defaults(run=_augmentations)


def _add_data(parser: argparse.ArgumentParser) -> None:
    """Adds what names data on the command line; `_manifest` loads it."""
    add = parser.add_argument
    add("data", metavar="DATA", help="manifest.csv, or the directory of the data")
    add("--source", default="csv", metavar="NAME", help="what the data are; csv if not given")
    add("--labels", metavar="A,B", help="label columns; needed for csv, else all of the source")
    add(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of the source, as in config.source_options; may be repeated",
    )
    add("--allow_missing_patient_ids", action="store_true", help="as in the config")


def _manifest(parsed: argparse.Namespace) -> Any:
    from remedis.data import sources

    options = sources.parse_options(parsed.option)
    # Sources whose data always have patients do not take it.
    name = "allow_missing_patient_ids"
    if parsed.allow_missing_patient_ids and name in sources.options_of(parsed.source):
        options[name] = True
    labels = None
    if parsed.labels is not None:
        labels = tuple(label.strip() for label in parsed.labels.split(","))
    return sources.load(parsed.source, parsed.data, labels, **options)


def _list(_: argparse.Namespace) -> int:
    from remedis.reporting import checkpoints

    checkpoints.print_records()
    return 0


def _info(parsed: argparse.Namespace) -> int:
    from remedis.reporting import checkpoints

    checkpoints.print_info(parsed.what)
    return 0


def _doctor(parsed: argparse.Namespace) -> int:
    from remedis.data import doctor
    from remedis.evaluation.intervals import MIN_PATIENTS
    from remedis.reporting import doctor as reporting

    if parsed.cache is not None and os.path.isdir(parsed.cache):
        raise UserError(f"--cache={parsed.cache} is a directory; expected a file to make or reuse.")
    fractions = None if parsed.splits is None else _fractions(parsed.splits)
    expected = reporting.expectation(parsed.checkpoint) if parsed.checkpoint else None
    diagnosis = doctor.diagnose(
        _manifest(parsed),
        MIN_PATIENTS,
        fractions,
        parsed.split_seed,
        unit=parsed.split_unit,
        allow_missing_patient_ids=parsed.allow_missing_patient_ids,
        expected=expected,
        cache=parsed.cache,
        uncertain=parsed.uncertain,
        unmentioned=parsed.unmentioned,
    )
    if parsed.json:
        print(json.dumps(diagnosis.to_json(), indent=2, allow_nan=False))
    else:
        reporting.print_diagnosis(diagnosis)
    return 0 if diagnosis.ok else UNWELL


def _prepare(parsed: argparse.Namespace) -> int:
    from remedis.data import prepare
    from remedis.preprocess import parse

    preprocess = parse(parsed.preprocess, deterministic=True)
    made = prepare.prepare(_manifest(parsed), preprocess, parsed.out, parsed.name)
    print(f"{made}: load it with config.source='tfds' and config.data_dir={parsed.out!r}.")
    return 0


def _augmentations(parsed: argparse.Namespace) -> int:
    from remedis.reporting import contact_sheet

    print(contact_sheet.write_contact_sheet(parsed.image, parsed.out, parsed.seed))
    return 0


def _fractions(written: str) -> dict[str, float]:
    """Returns the shares of splits written as `train=0.8,test=0.2`."""
    fractions = {}
    for pair in written.split(","):
        name, _, share = pair.partition("=")
        try:
            fractions[name.strip()] = float(share)
        except ValueError:
            raise UserError(
                f"--splits={written}: expected shares such as train=0.7,validation=0.1,test=0.2."
            ) from None
    return fractions


if __name__ == "__main__":
    sys.exit(main())
