"""The command `predict`: probabilities of images without labels."""

import argparse
import logging
from typing import Any

from remedis.cli import exit_status, shared_arguments
from remedis.errors import counted
from remedis.options import label_list

_LOG = logging.getLogger(__name__)


def add(commands: Any) -> None:
    """Adds the command to the subparsers of the main command."""
    predict = commands.add_parser(
        "predict",
        help="writes the probabilities of images without labels",
        description="Scores images with an exported classifier and writes a table: ids, calibrated "
        "probabilities, logits and, where the model has thresholds, decisions. Neither labels nor "
        "patients are needed.",
        epilog=f"Exit status: 0 all images are scored; {exit_status.INCOMPLETE} some cannot be "
        "read: OUT.bad_images.csv lists them.",
    )
    add = predict.add_argument
    add("model", metavar="RUN_OR_MODEL", help="a run's directory, or an exported classifier's")
    shared_arguments.add_images(predict)
    add("--labels", metavar="A,B", help="labels of the model to write; all if not given")
    shared_arguments.add_batches(predict, limited=False)
    add("--out", required=True, metavar="FILE", help="name.parquet or name.csv")
    predict.set_defaults(run=_predict)


def _predict(parsed: argparse.Namespace) -> int:
    from remedis.api.image_predictions import predict
    from remedis.data.checks import scan
    from remedis.options import literals
    from remedis.reporting.notes import RANDOM_WEIGHTS

    predicted = predict(
        parsed.model,
        parsed.data,
        labels=None if parsed.labels is None else label_list(parsed.labels),
        source=parsed.source,
        options=literals(parsed.option, "--option"),
        batch_size=parsed.batch_size,
        max_bad_images=parsed.max_bad_images,
        out=parsed.out,
    )
    images = counted(len(predicted.table), "image")
    _LOG.info(f"{parsed.out}: {counted(len(predicted.labels), 'label')} of {images}.")
    if predicted.random:
        print(RANDOM_WEIGHTS)
    return exit_status.of_images(len(predicted.bad), scan.bad_images_file(parsed.out))
