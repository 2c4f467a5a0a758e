"""The commands on data: `doctor`, `prepare`, `augmentations`."""

import argparse
import logging
import os
from typing import Any

from remedis import files
from remedis.cli import output, shared_arguments
from remedis.errors import UserError
from remedis.specifications import with_size

_LOG = logging.getLogger(__name__)

# The exit status of `remedis doctor` if it finds errors; 1 is for wrong arguments.
UNWELL = 2


def add(commands: Any) -> None:
    """Adds the commands to the subparsers of the main command."""
    _add_doctor(commands)
    _add_prepare(commands)
    _add_augmentations(commands)


def _add_doctor(commands: Any) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="reads data as training would, and lists what is wrong with them",
        description="Reads data as training would, before training: counts, unreadable files, "
        "sizes, bit depths, inverted or dark radiographs, copies and near-copies, patients in two "
        "splits, labels with too few patients.",
        epilog="Exit status: 0 nothing worse than warnings, 1 wrong arguments or a table that "
        f"cannot be read, {UNWELL} errors found.",
    )
    shared_arguments.add_data(doctor)
    add = doctor.add_argument
    add("--checkpoint", metavar="DIR", help="compare the images with what this folder expects")
    shared_arguments.add_splits(doctor)
    shared_arguments.add_policies(doctor)
    shared_arguments.add_judged_policies(doctor, prefix="eval-")
    add("--cache", metavar="FILE", help="parquet file that remembers the images scanned")
    output.add_table_arguments(doctor)
    doctor.set_defaults(run=_doctor)


def _add_prepare(commands: Any) -> None:
    prepare = commands.add_parser(
        "prepare",
        help="packs data, decoded and resized, into a TFDS dataset, the source 'tfds'",
        description="Decodes and resizes every image once and packs the data into the shards of a "
        "TFDS dataset, which is a source like any other: config.source = 'tfds'. Images become "
        "8-bit PNGs.",
    )
    shared_arguments.add_data(prepare)
    add = prepare.add_argument
    add("--out", required=True, metavar="DIR", help="directory to make; must not exist")
    add("--name", required=True, help="of the dataset, such as my_hospital")
    add("--preprocess", required=True, metavar="SPEC", help="operations, such as 'resize(512)'")
    prepare.set_defaults(run=_prepare)


def _add_augmentations(commands: Any) -> None:
    augmentations = commands.add_parser(
        "augmentations",
        help="draws the result of every operation and recipe, or of your own, on an image",
    )
    add = augmentations.add_argument
    add("image", metavar="IMAGE", help="a JPEG, PNG or DICOM file")
    add("--out", required=True, metavar="FIGURE.png", help="figure to write")
    add(
        "--preprocess",
        metavar="SPEC",
        help="draw this recipe and each step of it, such as 'resize(256) | random_crop(224)'",
    )
    add(
        "--config",
        metavar="NAME_OR_FILE",
        help="draw the recipes of a config, such as chexpert or configs/chexpert.py:released",
    )
    add("--seed", type=int, default=0, help="of the random operations; 0")
    shared_arguments.add_max_megapixels(augmentations)
    augmentations.set_defaults(run=_augmentations)


def _doctor(parsed: argparse.Namespace) -> int:
    if parsed.cache is not None and os.path.isdir(parsed.cache):
        raise UserError(f"--cache={parsed.cache} is a directory; expected a file to make or reuse.")
    fractions = None if parsed.splits is None else shared_arguments.fractions(parsed.splits)
    manifest = shared_arguments.manifest(parsed)

    from remedis.data.checks import doctor
    from remedis.evaluation.intervals import MIN_PATIENTS
    from remedis.inference.expectation import expectation
    from remedis.reporting import doctor_table

    expected = expectation(parsed.checkpoint) if parsed.checkpoint else None
    diagnosis = doctor.diagnose(
        manifest,
        MIN_PATIENTS,
        fractions,
        parsed.split_seed,
        unit=parsed.split_unit,
        complete_splits=parsed.complete_splits,
        allow_missing_patient_ids=parsed.allow_missing_patient_ids,
        allow_similar_ids=parsed.allow_similar_ids,
        expected=expected,
        cache=parsed.cache,
        uncertain=parsed.uncertain,
        unmentioned=parsed.unmentioned,
        evaluation=shared_arguments.named_policies(parsed, "eval_"),
    )
    output.show_table(parsed, doctor_table.diagnosis_report(diagnosis), diagnosis.to_json())
    return 0 if diagnosis.ok else UNWELL


def _prepare(parsed: argparse.Namespace) -> int:
    files.refuse_existing(parsed.out)

    from remedis.data import prepare
    from remedis.preprocess import parse

    preprocess = parse(parsed.preprocess, deterministic=True)
    folder = prepare.prepare(shared_arguments.manifest(parsed), preprocess, parsed.out, parsed.name)
    _LOG.info(
        f"{folder}: load it with --source=tfds {parsed.out}, or in a config with "
        f"config.source='tfds' and config.data_dir={parsed.out!r}."
    )
    return 0


def _augmentations(parsed: argparse.Namespace) -> int:
    if parsed.preprocess and parsed.config:
        raise UserError("Both --preprocess and --config are given; name one recipe.")
    recipes = [parsed.preprocess] if parsed.preprocess else []
    if parsed.config:
        recipes = _recipes(parsed.config)

    from remedis.reporting import contact_sheet

    _LOG.info(contact_sheet.write_contact_sheet(parsed.image, parsed.out, parsed.seed, recipes))
    return 0


def _recipes(written: str) -> list[str]:
    """Returns the specifications of preprocessing in a config, each once."""
    from remedis.api import config_files  # with ml_collections, which takes as long as the rest

    config = config_files.load(written)
    size = config.get("image_size")
    keys = ("preprocess", "train_preprocess", "eval_preprocess")
    found = [with_size(config[key], size, f"config.{key}") for key in keys if config.get(key)]
    if not found:
        raise UserError(f"--config={written} has none of {', '.join(keys)}.")
    return list(dict.fromkeys(found))
