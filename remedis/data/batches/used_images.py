"""Checks that the images of a training are those of the scan, before each checkpoint."""

import numpy as np
import numpy.typing as npt

from remedis.data.manifest import Manifest


class UsedImages:
    """Collects the images of each step, and checks that they are those that were scanned.

    The check before each checkpoint keeps other images out of it: a run that is refused resumes
    from the last one once the scanned images are restored. The cost is one `stat` per image read,
    or with `all_rows` one per image of the manifest for each checkpoint.
    """

    def __init__(self, manifest: Manifest, *, all_rows: bool = False) -> None:
        """Starts without images.

        Args:
          manifest: of the training images.
          all_rows: whether a step may use other images than its rows, such as their partners.
        """
        self._manifest, self._all_rows = manifest, all_rows
        self._rows: list[npt.NDArray[np.int64]] = []
        self._count = 0

    def add(self, rows: npt.ArrayLike) -> None:
        """Adds the rows of one step; after as many as an epoch has, checks them.

        Raises:
          UserError: a file has changed since the scan.
        """
        self._rows.append(np.asarray(rows, np.int64))
        self._count += len(self._rows[-1])
        if self._count >= len(self._manifest):
            self.check()

    def check(self) -> None:
        """Checks the images of the steps since the last check.

        Raises:
          UserError: a file has changed since the scan.
        """
        if self._rows:
            rows = None if self._all_rows else np.unique(np.concatenate(self._rows))
            self._manifest.check_unchanged(rows)
            self._rows, self._count = [], 0
