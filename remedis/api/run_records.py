"""Finished runs and studies, read from their directories."""

import dataclasses
import functools
import html
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import pandas as pd
from rich.console import Group, RenderableType
from rich.text import Text

from remedis import files
from remedis.errors import UserError
from remedis.evaluation import label_budget, predictions_file, results_record
from remedis.evaluation.evaluation_result import Result
from remedis.evaluation.intervals import Estimate
from remedis.label_budget import summary_record
from remedis.reporting import pretraining_report, report_text, results_table, run_info
from remedis.reporting.label_budget_report import (
    answer_sentences,
    estimate_tables,
    lay_summary,
    old_summaries,
    placebo,
)
from remedis.reporting.notes import RESEARCH_USE
from remedis.training.run_directory import read_metrics

_COLUMNS = ("metric", "label", "value", "low", "high", "patients", "positives", "reason")


@dataclasses.dataclass(frozen=True, repr=False)
class Run:
    """A finished run of fine-tuning or pretraining, or an evaluation.

    A notebook shows its tables, as the command prints them.

    Attributes:
      folder: its directory.
      kind: `fine-tuning run`, `pretraining run` or `evaluation of predictions`.
      results: the content of `results.json`.
    """

    folder: pathlib.Path
    kind: str
    results: dict[str, Any]

    @property
    def split(self) -> str | None:
        """The split whose evaluation `table()` has: mostly `test`; None for a pretraining."""
        return None if self._pretraining else str(self.results.get("split", "test"))

    @property
    def random_weights(self) -> bool:
        """Whether the weights began as random ones, without any pretraining."""
        given = self.results.get("checkpoint") or {}
        while given.get("parent"):
            given = given["parent"]
        return bool(self.results.get("random_weights")) or given.get("origin") == "random"

    @functools.cached_property
    def predictions(self) -> pd.DataFrame:
        """One row per scored image: ids, split, and `label/`, `score/` and `logit/` of each label.

        Raises:
          UserError: the run has none, as a pretraining, or the file is damaged.
        """
        file = self.folder / predictions_file.FILE
        if not os.path.lexists(file):
            raise UserError(f"{self.folder} has no {file.name}: a {self.kind} predicts nothing.")
        return predictions_file.read(self.folder)

    @functools.cached_property
    def metrics(self) -> pd.DataFrame:
        """What training logged, one row per step; empty for an evaluation."""
        return pd.DataFrame(read_metrics(self.folder))

    @property
    def export(self) -> pathlib.Path | None:
        """The folder of the trained model; None if there is none."""
        folder = self.folder / "export"
        return folder if folder.is_dir() else None

    @property
    def report(self) -> pathlib.Path | None:
        """The page with the plots, `report.html`; None if there is none."""
        page = self.folder / "report.html"
        return page if page.is_file() else None

    def table(self) -> pd.DataFrame:
        """Returns the numbers of the result, one per row.

        Returns:
          Of a classifier: metric, label (`mean` for the mean over labels), value, low and high
          (95 % interval), patients, positives, and the reason if a number is not estimable, whose
          value is then missing. Of a pretraining: the AUROC of the probes on validation, by step;
          empty if its config has no labelled data to probe with (`config.probe.source`).
        """
        if self._pretraining:
            return pd.DataFrame(self.results["probe"])
        result = Result.from_json(self.results[str(self.split)])
        rows = [("auroc", *row) for row in _rows(result.labels, result.mean)]
        for name, metric in result.metrics.items():
            rows += [(name, *row) for row in _rows(metric.labels, metric.mean)]
        table = pd.DataFrame(rows, columns=list(_COLUMNS))
        return table.astype(dict.fromkeys(("value", "low", "high"), "float64"))

    @property
    def _pretraining(self) -> bool:
        return self.kind == run_info.PRETRAINING

    def _report(self) -> RenderableType:
        if self._pretraining:
            return Group(*map(_line, pretraining_report.sentences(self.folder)))
        split = str(self.split)
        return results_table.results_report(
            self.results[split],
            random_weights=self.results["random_weights"],
            title=self.results.get("title", f"{split.capitalize()} split"),
        )

    def __repr__(self) -> str:
        return f"<Run {self.folder}: {self.kind}>"

    def __str__(self) -> str:
        return report_text.text(self._report())

    def _repr_html_(self) -> str:
        return report_text.notebook_html(self._report())


@dataclasses.dataclass(frozen=True, repr=False)
class Study:
    """A finished label-budget study of one out-of-distribution set.

    A notebook shows its answers in words.

    Attributes:
      folder: its directory.
      summary: the content of `summary.json`.
    """

    folder: pathlib.Path
    summary: dict[str, Any]

    @functools.cached_property
    def curves(self) -> pd.DataFrame:
        """The points of the curves: one row per arm, mode, number of labelled patients and label.

        As in `curves.csv`: arm, mode, patients, images, label (`mean` for the mean), the metric
        (`auroc`), low and high (95 % interval), band_low and band_high, test_patients,
        test_positives.
        """
        return label_budget.curves_table(self.summary)

    @property
    def report(self) -> pathlib.Path | None:
        """The page with curves, answers and caveats, `report.html`; None if there is none."""
        page = self.folder / "report.html"
        return page if page.is_file() else None

    def answers(self) -> list[str]:
        """Returns the warnings of the report, and its section "Answer".

        Warnings say what makes the numbers provisional. Behind them stand one line per mode, with
        its placebo, the primary comparison if the config states one, and that this is research
        software.
        """
        study = old_summaries.completed(self.summary)
        sentences = list(lay_summary.warnings(study))
        paragraphs, placebos = answer_sentences.paragraphs(study), placebo.sentences(study)
        for mode, answers in paragraphs.items():
            beside = [placebos[mode]] if mode in placebos else []
            sentences.append(f"{mode}: {' '.join([*answers, *beside])}")
        if not paragraphs:
            sentences.append(answer_sentences.NO_ANSWER)
        if study["primary"] is not None:
            sentences.append(estimate_tables.primary_sentence(study))
        return [*sentences, RESEARCH_USE]

    def __repr__(self) -> str:
        return f"<Study {self.folder}: arms {', '.join(self.summary['arms'])}>"

    def __str__(self) -> str:
        return "\n".join(self.answers())

    def _repr_html_(self) -> str:
        return "".join(f"<p>{html.escape(sentence)}</p>" for sentence in self.answers())


def load_run(folder: files.Path) -> Run:
    """Returns a finished run of fine-tuning or pretraining, or an evaluation.

    Runs of every version load.

    Args:
      folder: the run's directory, or what `evaluate` wrote.

    Raises:
      UserError: the directory holds no finished run, or a file of it is damaged.
    """
    run = pathlib.Path(folder)
    if os.path.lexists(run / summary_record.FILE):
        raise UserError(f"{run} holds a study; load it with remedis.load_study.")
    if not os.path.lexists(run / results_record.FILE):
        begun = "the run is not finished" if run_info.is_run(run) else "it is no run"
        raise UserError(
            f"{run} has no {results_record.FILE}: {begun}; expected the directory of a finished "
            "run or an evaluation."
        )
    kind, results = run_info.kind_and_results(run)
    return Run(run, kind, results)


def load_study(folder: files.Path) -> Study:
    """Returns a finished label-budget study.

    Studies of every version load. Of a study of several out-of-distribution sets this is the first
    set; those of the others are in its directory `ood`.

    Args:
      folder: the study's directory, or that of a set.

    Raises:
      UserError: the directory holds no finished study, or a file of it is damaged.
    """
    study = pathlib.Path(folder)
    if not os.path.lexists(study / summary_record.FILE):
        raise UserError(
            f"{study} has no {summary_record.FILE}: it is no finished study; finish it with "
            "remedis.ood_curves, or name another directory."
        )
    return Study(study, summary_record.read(study))


def _rows(labels: Any, mean: Estimate) -> Iterator[tuple[Any, ...]]:
    for name, of in {**labels, "mean": mean}.items():
        yield name, of.value, of.low, of.high, of.patients, of.positives, of.reason


def _line(text: str) -> Text:
    return Text(text, no_wrap=True, overflow="ignore")
