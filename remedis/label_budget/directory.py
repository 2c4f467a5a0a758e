"""The directory of a study, which holds the results of one study only."""

import os
import pathlib
from typing import Any

from remedis import files, json_records
from remedis.errors import UserError
from remedis.options import items, spelled_argument
from remedis.training.run_directory import RunDirectory, read_config

# Keys that may change between two starts: they decide which cells exist and how they are evaluated,
# not the content of a finished cell.
FREE = (
    *("title", "id_name", "ood_name", "baseline", "modes", "budgets", "seeds"),
    *("levels", "target", "minutes", "price", "extrapolate", "resamples", "caveats"),
    *("further_ood", "further_ood_options", "arm_options", "pretrained_by"),
)
# Keys that studies of version 0.1 lack, with the values that these studies had.
BEFORE = {
    **{"primary": "", "select": "", "id_trainings": 1},
    **{"task": "multi_label", "metric": "auroc"},
}


def further_directory(name: str) -> str:
    """Returns the directory of a further set, relative to the study's, by the set's name."""
    return f"ood/{name}"


class StudyDirectory(RunDirectory):
    """Files of one study.

    `id/` has the in-distribution models, `id-1/` and so on those of further trainings,
    `embeddings/` the embeddings for probes, `cells/` the scores of finished cells, `work/`
    unfinished ones, `data/` the checks of the images, `weights/` a digest of each arm's checkpoint.
    `ood/NAME/` is the directory of a further out-of-distribution set, without the models,
    embeddings and weights, which it shares.

    Attributes:
      models: the directory that holds in-distribution models, embeddings and weights; the study's
        own, or that of the first set.
    """

    def __init__(
        self, path: files.Path, config: dict[str, Any], models: pathlib.Path | None = None
    ) -> None:
        """Makes the directory, or checks that it belongs to this study.

        Args:
          path: the directory.
          config: of the study, as plain values; `FREE` keys are not compared. A begun study may
            get and lose arms, but a name stands for one checkpoint.
          models: the directory of the first set; None for that of this study.

        Raises:
          UserError: it cannot be written to, belongs to another study, or has cells of an arm of
            the same name and another checkpoint.
        """
        # A primary comparison is stated before there are results: it may not change, nor may an
        # older study that has none get one.
        kept = {
            key: value
            for key, value in config.items()
            if key not in FREE and (key not in BEFORE or value != BEFORE[key])
        }
        kept = json_records.plain(kept)
        before = _begun_config(pathlib.Path(path)) if "arms" in kept else None
        if before is None or "arms" not in before:
            super().__init__(path, kept)
        else:
            arms = _with_new(before["arms"], kept["arms"], path)
            super().__init__(path, {**kept, "arms": before["arms"]})
            if arms != before["arms"]:
                written = read_config(self / "config.json")
                files.write_json(self / "config.json", {**written, "arms": arms})
        self.models = self.path if models is None else models

    def _has_begun(self) -> bool:
        return _begun(self.path)

    def of_further_set(self, name: str, config: dict[str, Any]) -> "StudyDirectory":
        """Returns the directory of a further out-of-distribution set, by its name and config."""
        return StudyDirectory(self / further_directory(name), config, models=self.path)

    def data(self, key: str) -> RunDirectory:
        """Returns the directory for the checks of one hospital's data, `id` or `ood`."""
        (self / "data").mkdir(exist_ok=True)
        return RunDirectory(self / "data" / key, {})


def _begun(path: pathlib.Path) -> bool:
    return any(path.glob("cells/[!.]*")) or any(path.glob("id*/[!.]*"))


def _begun_config(path: pathlib.Path) -> dict[str, Any] | None:
    """Returns the `config.json` of a study that has begun; None if there is none."""
    file = path / "config.json"
    return read_config(file) if os.path.lexists(file) and _begun(path) else None


def _with_new(before: str, now: str, path: files.Path) -> str:
    """Returns `config.arms` with the arms that a study had before, also those it has no more.

    Their cells stay, so that their names stay taken.

    Raises:
      UserError: an arm has another checkpoint than before.
    """
    known = dict(_named(arm) for arm in items(before))
    for name, checkpoint in map(_named, items(now)):
        if known.setdefault(name, checkpoint) != checkpoint:
            raise UserError(
                f"{spelled_argument('workdir', path)} holds a run with another config: arms differ "
                f"({name} was {known[name]}, is {checkpoint}); give the new checkpoint a name of "
                "its own in config.arms, or name another directory."
            )
    return "; ".join(f"{name}={checkpoint}" for name, checkpoint in known.items())


def _named(arm: str) -> tuple[str, str]:
    name, _, checkpoint = arm.partition("=")
    return name.strip(), checkpoint.strip()
