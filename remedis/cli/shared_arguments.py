"""Arguments that several commands take, and the manifest they describe."""

import argparse
from collections.abc import Sequence
from typing import Any

from remedis import limits
from remedis.errors import UserError
from remedis.options import label_list, literals, pairs

STORE = "embeddings"
DEFAULT_SPLITS = "train=0.7,validation=0.1,test=0.2"


def add_splits(parser: argparse.ArgumentParser) -> None:
    """Adds the assignment of splits to images that have none."""
    add = parser.add_argument
    add("--split-unit", default="patient_id", metavar="UNIT", help="patient_id or slide_id")
    add("--splits", metavar="NAME=SHARE,...", help=f"as config.splits, such as {DEFAULT_SPLITS}")
    add(
        "--complete-splits",
        action="store_true",
        help="as config.complete_splits: assign images without a split though others have one",
    )
    add("--split-seed", type=int, default=0, metavar="N", help="as config.split_seed; 0")


def add_policies(parser: argparse.ArgumentParser) -> None:
    """Adds the policies for uncertain and unmentioned labels."""
    add = parser.add_argument
    add("--uncertain", metavar="POLICY", help="as config.uncertain: ignore, zeros or ones")
    add("--unmentioned", metavar="POLICY", help="as config.unmentioned: ignore, zeros or ones")


def add_judged_policies(parser: argparse.ArgumentParser, prefix: str = "") -> None:
    """Adds the policies for labels that a model is judged by.

    Args:
      parser: of the command.
      prefix: `eval-` for the names of the config's keys, and for validation and test alone.
    """
    for kind, values in (
        ("uncertain", "labels of -1"),
        ("unmentioned", "empty labels of images that have another label"),
        ("unlabelled", "images without any label"),
    ):
        parser.add_argument(
            f"--{prefix}{kind}",
            metavar="POLICY",
            help=f"{values}: ignore, zeros or ones; as config.eval_{kind}",
        )


def named_policies(parsed: argparse.Namespace, prefix: str = "") -> dict[str, str]:
    """Returns the policies of `add_judged_policies` that the command line names.

    Args:
      parsed: the command line.
      prefix: of the names, here and in what is returned, such as `eval_`.
    """
    names = [f"{prefix}{kind}" for kind in ("uncertain", "unmentioned", "unlabelled")]
    return {name: policy for name in names if (policy := getattr(parsed, name)) is not None}


def add_data(parser: argparse.ArgumentParser) -> None:
    """Adds the data and their source; `manifest` loads them."""
    parser.add_argument("data", metavar="DATA", help="manifest.csv, or the directory of the data")
    add_source(parser)


def add_images(parser: argparse.ArgumentParser) -> None:
    """Adds images without labels and patients, by any number of paths."""
    add = parser.add_argument
    add(
        "data",
        nargs="+",
        metavar="DATA",
        help="images: folders (searched at any depth), files, globs in quotes, whole slides, a "
        "manifest, or the directory of a data set by --source",
    )
    add("--source", default="csv", metavar="NAME", help="layout of the data, as config.source; csv")
    _add_option(parser)
    add_max_megapixels(parser)


def add_source(parser: argparse.ArgumentParser) -> None:
    """Adds the source of the data, its labels and its options."""
    add = parser.add_argument
    add("--source", default="csv", metavar="NAME", help="layout of the data, as config.source; csv")
    add("--labels", metavar="A,B", help="label columns; csv needs them, others have their own")
    _add_option(parser)
    add_max_megapixels(parser)
    add(
        "--allow-missing-patient-ids",
        action="store_true",
        help="as config.allow_missing_patient_ids",
    )
    add("--allow-similar-ids", action="store_true", help="as config.allow_similar_ids")


def _add_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of the source, as in config.source_options; may be repeated",
    )


def add_max_megapixels(parser: argparse.ArgumentParser) -> None:
    """Adds the limit on the pixels of an image, which the main command sets."""
    parser.add_argument(
        "--max-megapixels",
        type=float,
        metavar="N",
        help="as config.max_megapixels: images with more million pixels are not decoded; "
        f"{limits.DEFAULT_MEGAPIXELS:g}",
    )


def manifest(parsed: argparse.Namespace, labels: Sequence[str] | None = None) -> Any:
    """Returns the manifest of the data of the command line.

    Args:
      parsed: with the arguments of `add_source`, and `data`.
      labels: the label columns if --labels is not given.
    """
    if parsed.labels is not None:
        labels = label_list(parsed.labels)
    options = source_options(parsed)
    from remedis.data import sources

    return sources.load_with(parsed.source, parsed.data, labels, options)


def source_options(parsed: argparse.Namespace) -> dict[str, Any]:
    """Returns the options of the source of the command line.

    Args:
      parsed: with the arguments of `add_source`.
    """
    options = literals(parsed.option, "--option")
    # TensorFlow, which comes with the sources, takes seconds to load.
    from remedis.data import sources

    # Sources whose data always have patients do not take it.
    name = "allow_missing_patient_ids"
    if parsed.allow_missing_patient_ids and name in sources.options_of(parsed.source):
        options[name] = True
    return options


def add_backbone(parser: argparse.ArgumentParser, limited: bool = True) -> None:
    """Adds the embedding, the preprocessing before it and the store it is kept in.

    Args:
      parser: of the command.
      limited: as for `add_batches`.
    """
    add = parser.add_argument
    add(
        "--preprocess",
        metavar="SPEC",
        help="operations on an image, such as 'resize(448)'; those of the checkpoint's record if "
        "not given",
    )
    add("--embedding", default="embedding", help="embedding, or pre_logits: after the final norm")
    add(
        "--store",
        default=STORE,
        metavar="DIR",
        help="directory that keeps embeddings, so that none is computed twice; ./embeddings",
    )
    add_batches(parser, limited)


def add_batches(parser: argparse.ArgumentParser, limited: bool = True) -> None:
    """Adds the batch size and the limit on bad images.

    Args:
      parser: of the command.
      limited: whether there is a limit without the option. What needs no labels goes on with the
        readable images, and ends with `exit_status.INCOMPLETE`.
    """
    add = parser.add_argument
    add("--batch-size", type=positive, default=32, metavar="N", help="images per batch; 32")
    add(
        "--max-bad-images",
        type=float,
        default=0.01 if limited else None,
        metavar="SHARE",
        help="as config.max_bad_images: share of unreadable images that stops the command; "
        + ("0.01" if limited else "without it the others go on, with exit status 3"),
    )


def positive(written: str) -> int:
    """Returns a whole number of 1 or more, for argparse."""
    number = int(written)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}; expected 1 or more")
    return number


def fractions(written: str) -> dict[str, float]:
    """Returns the shares of splits written as `train=0.8,test=0.2`.

    Raises:
      UserError: the text has another form.
    """
    expected = f"shares such as {DEFAULT_SPLITS}"
    shares = pairs(written, what="--splits", expected=expected, separator=",")
    try:
        return {name: float(share) for name, share in shares}
    except ValueError:
        raise UserError(f"--splits={written}: expected {expected}.") from None
