"""The command `import-predictions`: other people's scores, read as an evaluation."""

import argparse
import logging
from typing import Any

from remedis.cli import output, shared_arguments
from remedis.options import label_list

_LOG = logging.getLogger(__name__)


def add(commands: Any) -> None:
    """Adds the command to the subparsers of the main command."""
    imports = commands.add_parser(
        "import-predictions",
        help="evaluates another model's scores of images, from a table",
        description="Reads a table of another model's scores, one row per image, and the truth "
        "from the same table or from labelled data. Writes predictions.parquet, results.json and "
        "report.html with its plots, which `evaluate` and `compare` take as those of a run, and "
        "prints the tables. The provenance is `not ours`.",
    )
    add = imports.add_argument
    add("file", metavar="FILE", help="table of scores: CSV (also .csv.gz) or Parquet")
    add("--out", required=True, metavar="DIR", help="directory to write to")
    add(
        "--columns",
        metavar="'NAME=COLUMN; ...'",
        help="what the columns are: NAME is image, patient, sex, age, view or site; a label, for "
        "its scores; or label/LABEL, for its truth; guessed where only one is possible",
    )
    add("--where", metavar="'COLUMN=VALUE; ...'", help="rows to take, such as 'model=densenet'")
    add(
        "--scale",
        default="probability",
        metavar="NAME",
        help="of the scores: probability, percent, logit, or rank (numbers that only order "
        "images); probability",
    )
    add("--name", metavar="NAME", help="of the model, for reports; that of the file")
    add("--labels-from", metavar="DATA", help="labelled data that have the truth of the images")
    shared_arguments.add_source(imports)
    add("--split", metavar="NAME", help="only images of this split of the labelled data; all")
    add(
        "--allow-missing",
        action="store_true",
        help="leave out images without a score, which are counted",
    )
    shared_arguments.add_judged_policies(imports)
    add("--seed", type=int, default=0, help="of the resamples; 0")
    add("--resamples", type=int, default=1000, metavar="N", help="behind intervals; 1000")
    add("--weighting", default="images", metavar="NAME", help="in the AUROC: images or patients")
    output.add_table_arguments(imports, "--table")
    imports.set_defaults(run=_import)


def _import(parsed: argparse.Namespace) -> int:
    from remedis.api import imported_predictions
    from remedis.data.label_policies import Meaning
    from remedis.reporting import results_table

    # The sources of data load TensorFlow, which a file with its own truth does not need.
    options = shared_arguments.source_options(parsed) if parsed.labels_from else None
    results = imported_predictions.write(
        parsed.file,
        parsed.out,
        columns=parsed.columns,
        where=parsed.where,
        scale=parsed.scale,
        name=parsed.name,
        labels_from=parsed.labels_from,
        labels=None if parsed.labels is None else label_list(parsed.labels),
        source=parsed.source,
        options=options,
        split=parsed.split,
        allow_missing=parsed.allow_missing,
        meaning=Meaning(**shared_arguments.named_policies(parsed)),
        seed=parsed.seed,
        resamples=parsed.resamples,
        weighting=parsed.weighting,
    )
    report = results_table.results_report(
        results["test"], random_weights=False, title=results["title"]
    )
    output.show_table(parsed, report, results)
    _LOG.info(f"Predictions, results and plots are in {parsed.out}; read report.html.")
    return 0
