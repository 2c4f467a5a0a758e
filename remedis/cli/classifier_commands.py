"""The commands on trained classifiers: `evaluate`, `calibrate`, `compare`."""

import argparse
import logging
from typing import Any

from rich.console import Group

from remedis import files, locks
from remedis.cli import output, shared_arguments
from remedis.errors import UserError, unknown_choice
from remedis.options import items, label_list, label_text

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
        help="of the AUROC: images, each with the same weight, or patients, each with the same "
        "weight that its images share; images (a run: as before)",
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
        "compare", help="tests the difference of two runs on the cases that both have scored"
    )
    compare.add_argument("run_a", metavar="RUN_A", help="a finished run's directory")
    compare.add_argument("run_b", metavar="RUN_B", help="another's, with the same test cases")
    output.add_table_arguments(compare)
    compare.set_defaults(run=_compare)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", metavar="RUN_OR_MODEL", help="a run's directory, or an exported classifier's"
    )


def _scored(parsed: argparse.Namespace, exported: Any, out: str) -> Any:
    from remedis.inference import rescore

    if parsed.labels is not None:
        exported.check_labels(label_list(parsed.labels))
    try:
        manifest = shared_arguments.manifest(parsed, exported.labels)
    except UserError as error:
        if parsed.labels is not None:
            raise
        raise UserError(
            f"{error} The model scores {label_text(exported.labels)}; if the data lack some of "
            "these, name the others: --labels=A,B."
        ) from error
    return rescore.score(
        exported,
        manifest,
        out,
        source=parsed.source,
        policies=shared_arguments.named_policies(parsed),
        split=getattr(parsed, "split", None),
        batch_size=parsed.batch_size,
        max_bad_images=parsed.max_bad_images,
    )


def _evaluate(parsed: argparse.Namespace) -> int:
    if parsed.data and parsed.manifest:
        raise UserError(f"Both DATA={parsed.data} and --manifest={parsed.manifest}: name one.")
    parsed.data = parsed.data or parsed.manifest

    from remedis.evaluation.estimates import WEIGHTINGS
    from remedis.evaluation.evaluate import TOP_K
    from remedis.inference import exported as exported_classifier
    from remedis.inference import rescore
    from remedis.reporting import results_table, run_report

    if parsed.weighting not in (None, *WEIGHTINGS):
        raise unknown_choice("value of --weighting", parsed.weighting, WEIGHTINGS)
    if parsed.data is not None and parsed.nested_resamples:
        raise UserError(
            f"--nested-resamples with DATA={parsed.data}: only a run's stored predictions hold the "
            "validation split that is needed; leave out DATA, or --nested-resamples."
        )
    top_k = _top_k(parsed.top_k)
    with locks.of_output(parsed.out):
        rescore.check_out(parsed.out)
        if parsed.data is None:
            results = rescore.reevaluate(
                parsed.model,
                parsed.out,
                parsed.split or "test",
                parsed.seed,
                parsed.resamples,
                parsed.weighting,
                parsed.nested_resamples,
                top_k,
            )
        else:
            exported = exported_classifier.load(parsed.model)
            results = rescore.evaluate(
                exported,
                _scored(parsed, exported, parsed.out),
                parsed.out,
                seed=parsed.seed,
                resamples=parsed.resamples,
                weighting=parsed.weighting or "images",
                top_k=top_k or TOP_K,
            )
    report = results_table.results_report(
        results[results["split"]],
        random_weights=results["random_weights"],
        title=results["title"],
    )
    output.show_table(parsed, report, results)
    run_report.write(parsed.out)
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
    with locks.of_output(parsed.out):
        files.refuse_existing(parsed.out)

        from remedis.inference import exported as exported_classifier
        from remedis.inference import recalibrate
        from remedis.reporting.recalibration_table import recalibration_table

        exported = exported_classifier.load(parsed.model)
        method = recalibrate.method_for(exported.description.task, parsed.method)
        scored = _scored(parsed, exported, f"{parsed.out}.data")
        judges = recalibrate.judged_rows(
            scored, parsed.judge_split, parsed.judge_share, parsed.seed
        )
        done = recalibrate.recalibrate(
            exported,
            scored,
            method,
            parsed.out,
            target_sensitivity=parsed.target_sensitivity,
            keep_thresholds=parsed.keep_thresholds,
            judges=judges,
            resamples=parsed.resamples,
            seed=parsed.seed,
        )
    lines = [*scored.label_notes, *done.lines]
    tables = []
    if done.before and done.after:
        tables.append(recalibration_table(done.before, done.after))
    values = {"lines": lines, "before": done.before, "after": done.after}
    output.show_table(parsed, Group(*map(output.line, lines), *tables), values)
    return 0


def _compare(parsed: argparse.Namespace) -> int:
    from remedis.reporting import comparison_report

    compared = comparison_report.compare_runs(parsed.run_a, parsed.run_b)
    output.show_table(parsed, comparison_report.comparison_report(compared), compared)
    return 0
