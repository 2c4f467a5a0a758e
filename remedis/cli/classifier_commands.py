"""The commands on trained classifiers: `evaluate`, `calibrate`, `compare`."""

import argparse
import logging
from typing import Any

from rich.console import Group

from remedis.cli import output, shared_arguments
from remedis.errors import UserError
from remedis.options import items, label_list

_LOG = logging.getLogger(__name__)


def add(commands: Any) -> None:
    """Adds the commands to the subparsers of the main command."""
    _add_evaluate(commands)
    _add_calibrate(commands)
    _add_compare(commands)


def _add_evaluate(commands: Any) -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="scores an exported classifier on any data",
        description="Scores an exported classifier on data, writes predictions.parquet, "
        "results.json and report.html with its plots, and prints the tables. Without data, "
        "evaluates the stored predictions of a finished run again. Label policies that are not "
        "named are those of the model's run.",
    )
    _add_model(evaluate)
    evaluate.add_argument("data", metavar="DATA", nargs="?", help="manifest.csv, or a directory")
    evaluate.add_argument("--manifest", metavar="FILE.csv", help="the same as DATA")
    shared_arguments.add_source(evaluate)
    shared_arguments.add_batches(evaluate)
    shared_arguments.add_judged_policies(evaluate)
    add = evaluate.add_argument
    add("--out", required=True, metavar="DIR", help="directory to write to")
    add("--split", metavar="NAME", help="score this split alone; all if not given (a run: test)")
    add("--seed", type=int, default=0, help="of the resamples; 0")
    add("--resamples", type=int, default=1000, metavar="N", help="behind intervals; 1000")
    add(
        "--weighting",
        metavar="NAME",
        help="weights in the AUROC: 'images' gives every image of a class the same weight, "
        "'patients' every patient, divided among the patient's images; images (a run: as before)",
    )
    add(
        "--top-k",
        metavar="K,...",
        help="of a multi_class model: top-k accuracies, the share of images whose true class is "
        "among the k most probable; 1,3 (a run: as before)",
    )
    add(
        "--nested-resamples",
        type=int,
        default=0,
        metavar="N",
        help="of a run's stored predictions: also give intervals that include the choice of "
        "thresholds and calibration; 200 suffice; 0 (none)",
    )
    output.add_table_arguments(evaluate, "--table")
    evaluate.set_defaults(run=_evaluate)


def _add_calibrate(commands: Any) -> None:
    calibrate = commands.add_parser(
        "calibrate",
        help="fits probabilities and thresholds of a classifier to a site, and exports the result",
        description="Fits the probabilities of an exported classifier to labelled studies of a "
        "site, chooses its thresholds again on them, and writes a new export with both inside. The "
        "logits do not change; the fit starts from them and replaces an earlier one. Label "
        "policies that are not named are those of the model's run.",
    )
    _add_model(calibrate)
    shared_arguments.add_data(calibrate)
    shared_arguments.add_batches(calibrate)
    shared_arguments.add_judged_policies(calibrate)
    calibrate.add_argument(
        "--method",
        help="platt (scale and offset per label) or temperature (scale only, which cannot correct "
        "probabilities that are all too high); platt, temperature for a multi_class model",
    )
    add = calibrate.add_argument
    add("--out", required=True, metavar="DIR", help="folder to make")
    add(
        "--target-sensitivity",
        type=float,
        metavar="S",
        help="of the target-sensitivity threshold; that of the model, 0.9 if it has none",
    )
    add(
        "--keep-thresholds",
        action="store_true",
        help="move the thresholds with the probabilities, so that the same images reach them",
    )
    add(
        "--judge-split",
        metavar="NAME",
        help="images of this split choose nothing: the model is evaluated on them before and after",
    )
    add(
        "--judge-share",
        type=float,
        default=0.0,
        metavar="S",
        help="the same with a share of the patients, drawn at random; 0 (none)",
    )
    add("--seed", type=int, default=0, help="of that draw and of the resamples; 0")
    add("--resamples", type=int, default=1000, metavar="N", help="behind intervals; 1000")
    output.add_table_arguments(calibrate, "--table")
    calibrate.set_defaults(run=_calibrate)


def _add_compare(commands: Any) -> None:
    compare = commands.add_parser(
        "compare",
        help="tests the difference of two runs or more, paired if they have scored the same images",
        description="Compares finished runs, evaluations and imported predictions. Images are "
        "matched by path or file name. Where all are the same, the comparison is paired by "
        "patient; else it is that of two samples. Of three or more runs, each is compared with the "
        "first.",
    )
    add = compare.add_argument
    add("runs", metavar="RUN", nargs="+", help="directories of finished runs, two or more")
    add("--all-pairs", action="store_true", help="compare every two runs, not each with the first")
    add(
        "--unpaired",
        action="store_true",
        help="take images and patients of equal names as different, such as of two hospitals that "
        "number them alike",
    )
    output.add_table_arguments(compare)
    compare.set_defaults(run=_compare)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", metavar="RUN_OR_MODEL", help="a run's directory, or an exported classifier's"
    )


def _data(parsed: argparse.Namespace) -> dict[str, Any]:
    """Returns what the functions of the API take about the data and their labels."""
    return {
        "labels": None if parsed.labels is None else label_list(parsed.labels),
        "source": parsed.source,
        "options": shared_arguments.source_options(parsed),
        **shared_arguments.named_policies(parsed),
        "batch_size": parsed.batch_size,
        "max_bad_images": parsed.max_bad_images,
        "seed": parsed.seed,
        "resamples": parsed.resamples,
    }


def _evaluate(parsed: argparse.Namespace) -> int:
    if parsed.data and parsed.manifest:
        raise UserError(f"Both DATA={parsed.data} and --manifest={parsed.manifest}: name one.")
    top_k = _top_k(parsed.top_k)

    from remedis.api.trained_classifiers import evaluate
    from remedis.reporting import drift_table, results_table

    run = evaluate(
        parsed.model,
        parsed.data or parsed.manifest,
        parsed.out,
        **_data(parsed),
        split=parsed.split,
        weighting=parsed.weighting,
        top_k=top_k,
        nested_resamples=parsed.nested_resamples,
    )
    report = results_table.results_report(
        run.results[run.results["split"]],
        random_weights=run.results["random_weights"],
        title=run.results["title"],
    )
    drift = drift_table.drift_tables(run.results["drift"]) if "drift" in run.results else ()
    output.show_table(parsed, Group(report, *drift), run.results)
    _LOG.info(f"Predictions, results and plots are in {parsed.out}; read report.html.")
    return 0


def _top_k(text: str | None) -> tuple[int, ...] | None:
    """Returns the numbers of `--top-k`, such as `1,3`; None without any."""
    if text is None:
        return None
    numbers = items(text, ",")
    if not numbers or not all(number.isdecimal() and int(number) for number in numbers):
        raise UserError(f"--top-k={text}: expected whole numbers from 1 up, such as 1,3.")
    return tuple(map(int, numbers))


def _calibrate(parsed: argparse.Namespace) -> int:
    from remedis.api.trained_classifiers import calibrate
    from remedis.reporting.recalibration_table import recalibration_table

    done = calibrate(
        parsed.model,
        parsed.data,
        parsed.out,
        **_data(parsed),
        method=parsed.method,
        target_sensitivity=parsed.target_sensitivity,
        keep_thresholds=parsed.keep_thresholds,
        judge_split=parsed.judge_split,
        judge_share=parsed.judge_share,
    )
    lines = list(done.lines)
    tables = []
    if done.before and done.after:
        tables.append(recalibration_table(done.before, done.after))
    values = {"lines": lines, "before": done.before, "after": done.after}
    output.show_table(parsed, Group(*map(output.line, lines), *tables), values)
    return 0


def _compare(parsed: argparse.Namespace) -> int:
    if len(parsed.runs) < 2:
        raise UserError(f"Only {parsed.runs[0]} is named; expected two runs or more to compare.")
    if len(parsed.runs) == 2:
        run_a, run_b = parsed.runs
        from remedis.reporting import comparison_report

        compared = comparison_report.compare_runs(run_a, run_b, parsed.unpaired)
        output.show_table(parsed, comparison_report.comparison_report(compared), compared)
        return 0
    from remedis.reporting import comparison_of_many

    many = comparison_of_many.compare_many(parsed.runs, parsed.all_pairs, parsed.unpaired)
    output.show_table(parsed, comparison_of_many.report_of_many(many), many.to_json())
    return 0
