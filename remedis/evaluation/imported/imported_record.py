"""The record of imported predictions in `results.json`."""

from typing_extensions import TypedDict

from remedis.json_records import Count, Line, Name

NOT_OURS = "not ours"


class ImportedRecord(TypedDict):
    """Where imported predictions come from, and how they were read.

    Attributes:
      provenance: `not ours`: nothing is known of the weights and of what they were trained on.
      name: of the model, as the user gives it.
      file: base name of the file of scores.
      sha256: hash of that file.
      where: column -> value of the rows that were taken. Empty for all.
      columns: name in a table of predictions, such as `path` or `score/pneumonia` -> column.
      guessed: which of these were guessed.
      scale: what the scores were: `probability`, `percent`, `logit` or `rank`.
      truth: source of the labels: `the file of scores`, or that of the data.
      matched_by: what is the same in file and data, such as `file name`. Empty if the file has the
        truth.
      images: number of images with score and truth.
      without_score: number of images of the data, or of rows of the file, without a score.
      without_truth: number of images of the file that the data do not have.
    """

    provenance: Line
    name: Line
    file: Line
    sha256: Line
    where: dict[Name, Line]
    columns: dict[Name, Line]
    guessed: list[Line]
    scale: Line
    truth: Line
    matched_by: Line
    images: Count
    without_score: Count
    without_truth: Count
