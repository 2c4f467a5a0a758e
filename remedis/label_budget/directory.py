"""The directory of a study, which holds the results of one study only."""

import pathlib
from typing import Any

from remedis import files, json_records
from remedis.training.run_directory import RunDirectory

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
          config: of the study, as plain values; `FREE` keys are not compared.
          models: the directory of the first set; None for that of this study.

        Raises:
          UserError: it cannot be written to, or belongs to another study.
        """
        # A primary comparison is stated before there are results: it may not change, nor may an
        # older study that has none get one.
        kept = {
            key: value
            for key, value in config.items()
            if key not in FREE and (key not in BEFORE or value != BEFORE[key])
        }
        super().__init__(path, json_records.plain(kept))
        self.models = self.path if models is None else models

    def _has_begun(self) -> bool:
        return any(self.path.glob("cells/[!.]*")) or any(self.path.glob("id*/[!.]*"))

    def of_further_set(self, name: str, config: dict[str, Any]) -> "StudyDirectory":
        """Returns the directory of a further out-of-distribution set, by its name and config."""
        return StudyDirectory(self / further_directory(name), config, models=self.path)

    def data(self, key: str) -> RunDirectory:
        """Returns the directory for the checks of one hospital's data, `id` or `ood`."""
        (self / "data").mkdir(exist_ok=True)
        return RunDirectory(self / "data" / key, {})
