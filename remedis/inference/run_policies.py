"""The label policies of the run that a model comes from, for commands that read other labels."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from remedis import files
from remedis.data import label_policies, labels, sources
from remedis.data.label_policies import LabelPolicies, Meaning
from remedis.data.manifest import Manifest
from remedis.training.run_directory import read_config
from remedis.zoo import checkpoint, resolve

_WORDS = {"uncertain": "uncertain", "unmentioned": "empty", "unlabelled": "images without any"}


@dataclasses.dataclass(frozen=True)
class RunPolicies:
    """The label policies of a run.

    Attributes:
      source: name of the source of the run's data.
      policies: of training and evaluation.
    """

    source: str
    policies: LabelPolicies

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "RunPolicies":
        """Returns the policies of a run's config, or of the record in an export."""
        return cls(str(record.get("source", "")), LabelPolicies.from_config(record))

    def for_source(self, source: str) -> LabelPolicies:
        """Returns the policies that data of a source inherit.

        An empty label that means "not mentioned" in the run's source may mean "unknown" in another:
        it is ignored there.
        """
        if sources.same_empty_labels(self.source, source):
            return self.policies
        return dataclasses.replace(
            self.policies, unmentioned="ignore", eval_unmentioned="", eval_unlabelled="ignore"
        )


def of_model(spec: str | files.Path) -> RunPolicies | None:
    """Returns the policies of the run that made a model; None if there is no record of them.

    Args:
      spec: a run, its export, or another form of `resolve.parse`.
    """
    folder = resolve.parse(str(spec)).folder
    if folder is None:
        return None
    path = pathlib.Path(resolve.export_folder(folder))
    description = checkpoint.describe(path)
    if description is not None and description.label_policies:
        return RunPolicies.from_record(description.label_policies)
    run = path.resolve().parent
    if description is None or description.kind != "classifier" or not resolve.is_run(run):
        return None
    config = read_config(run / "config.json")
    return RunPolicies.from_record(config) if "uncertain" in config else None


def difference(here: Meaning, run: RunPolicies | None, manifest: Manifest) -> str:
    """Returns a sentence if labels count otherwise than in the test split of a run; else nothing.

    Args:
      here: what the labels of the manifest count as.
      run: None if its policies are not known.
      manifest: of `label_policies.keep_found`; only kinds of values that occur here are compared.
    """
    kinds = label_policies.kinds(manifest)
    if not kinds:
        return ""
    if run is None:
        return "It is not recorded what such labels counted as in the run of this model."
    there = run.policies.evaluation
    differing = [
        f"{_WORDS[kind]} labels '{getattr(here, kind)}' here, '{getattr(there, kind)}' there"
        for kind in kinds
        if labels.policies(getattr(here, kind), manifest.labels)
        != labels.policies(getattr(there, kind), manifest.labels)
    ]
    if not differing:
        return ""
    return f"Labels count otherwise than in the run of this model: {'; '.join(differing)}."
