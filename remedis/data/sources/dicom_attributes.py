"""Sex, age and view in the headers of DICOM files that a table names."""

import os
import pathlib

import pandas as pd

from remedis.data.sources import dicom_files

COLUMNS = ("sex", "age", "view")


def of_files(root: pathlib.Path, paths: pd.Series) -> pd.DataFrame:
    """Returns the columns `sex`, `age` and `view` of files; unknown for a file that cannot be read.

    A missing or damaged file is no error: the scan of the images lists it, with the reason.

    Args:
      root: directory that the paths are relative to.
      paths: of the files, each once.
    """
    present = [path for path in paths if os.path.isfile(root / path)]
    found = dicom_files.frames(root, present, "keep")
    if not len(found):
        found = pd.DataFrame(columns=["file"])
    found = found.drop_duplicates("file").set_index("file").reindex(columns=list(COLUMNS))
    return found.reindex(paths.tolist()).set_axis(paths.index)
