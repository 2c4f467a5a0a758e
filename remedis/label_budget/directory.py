"""The directory of a study, which holds the results of one study only."""

import json
from typing import Any

from remedis import files
from remedis.training.run_directory import RunDirectory

# What may change between two starts: it decides which cells there are and what they are asked, not
# what a finished one holds.
FREE = (
    *("title", "id_name", "ood_name", "baseline", "modes", "budgets", "seeds"),
    *("target", "minutes", "price", "extrapolate", "resamples", "caveats"),
)


class StudyDirectory(RunDirectory):
    """Files of one study.

    `id/` has the in-distribution models, `embeddings/` what probes stand on, `cells/` the scores of
    finished cells, `work/` what is not finished, `data/` what was seen of the images, `weights/`
    digests of what each arm starts from.
    """

    def __init__(self, path: files.Path, config: dict[str, Any]) -> None:
        """Makes the directory, or checks that it belongs to this study.

        Args:
          path: the directory.
          config: of the study, as plain values; of `FREE` keys nothing is checked.

        Raises:
          UserError: it cannot be written to, or belongs to another study.
        """
        kept = {key: value for key, value in config.items() if key not in FREE}
        super().__init__(path, json.loads(json.dumps(kept)))

    def _has_begun(self) -> bool:
        return any((self / "cells").glob("[!.]*")) or any((self / "id").glob("[!.]*"))

    def data(self, part: str) -> RunDirectory:
        """Returns where the receipts of one part of the data, `id` or `ood`, are kept."""
        (self / "data").mkdir(exist_ok=True)
        return RunDirectory(self / "data" / part, {})
