"""Arguments that several commands take, and what they mean."""

import argparse
from collections.abc import Sequence
from typing import Any

from remedis.errors import UserError
from remedis.options import items, literals, pairs


def add_splits(parser: argparse.ArgumentParser) -> None:
    """Adds how images without a split are assigned one."""
    add = parser.add_argument
    add("--split_unit", default="patient_id", metavar="UNIT", help="patient_id or slide_id")
    add("--splits", metavar="NAME=SHARE,...", help="as config.splits: train=0.7,validation=0.1,...")
    add("--split_seed", type=int, default=0, metavar="N", help="as config.split_seed; 0")


def add_policies(parser: argparse.ArgumentParser) -> None:
    """Adds what uncertain and unmentioned labels count as."""
    add = parser.add_argument
    add("--uncertain", metavar="POLICY", help="as config.uncertain: ignore, zeros or ones")
    add("--unmentioned", metavar="POLICY", help="as config.unmentioned: ignore, zeros or ones")


def add_data(parser: argparse.ArgumentParser) -> None:
    """Adds what names data on the command line; `manifest` loads it."""
    add = parser.add_argument
    add("data", metavar="DATA", help="manifest.csv, or the directory of the data")
    add_source(parser)


def add_source(parser: argparse.ArgumentParser) -> None:
    """Adds how data are to be taken."""
    add = parser.add_argument
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


def manifest(parsed: argparse.Namespace, labels: Sequence[str] | None = None) -> Any:
    """Returns the manifest of the data named; `labels` are taken where none are named."""
    from remedis.data import sources

    options = literals(parsed.option, "--option")
    # Sources whose data always have patients do not take it.
    name = "allow_missing_patient_ids"
    if parsed.allow_missing_patient_ids and name in sources.options_of(parsed.source):
        options[name] = True
    if parsed.labels is not None:
        labels = tuple(items(parsed.labels, ","))
    return sources.load(parsed.source, parsed.data, labels, **options)


def add_backbone(parser: argparse.ArgumentParser) -> None:
    """Adds which embeddings to compute, and where to keep them."""
    add = parser.add_argument
    add(
        "--preprocess",
        metavar="SPEC",
        help="what to do with an image, such as 'resize(448)'; if not given, what the checkpoint "
        "says of itself",
    )
    add("--embedding", default="embedding", help="embedding, or pre_logits: after the final norm")
    add(
        "--store",
        default="embeddings",
        metavar="DIR",
        help="where embeddings are kept, so that none is computed twice; ./embeddings",
    )
    add("--batch_size", type=positive, default=32, metavar="N", help="images at a time; 32")
    add("--max_bad_images", type=float, default=0.01, metavar="SHARE", help="as in the config")


def positive(written: str) -> int:
    """Returns a whole number of 1 or more, for argparse."""
    number = int(written)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}; expected 1 or more")
    return number


def fractions(written: str) -> dict[str, float]:
    """Returns the shares of splits written as `train=0.8,test=0.2`."""
    expected = "shares such as train=0.7,validation=0.1,test=0.2"
    shares = pairs(written, what="--splits", expected=expected, separator=",")
    try:
        return {name: float(share) for name, share in shares}
    except ValueError:
        raise UserError(f"--splits={written}: expected {expected}.") from None
