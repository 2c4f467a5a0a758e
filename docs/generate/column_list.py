"""The columns of the tables in a run, and the arrays of its NPZ files."""

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Column:
    """A column, or an array.

    Attributes:
      name: words in capitals stand for any name.
      kind: `text`, `number`, `whole number`, `true or false`, `bytes`, `list of numbers`.
      meaning: what it is, its unit, and when it is absent or empty.
      optional: whether a table may lack it.
    """

    name: str
    kind: str
    meaning: str
    optional: bool = False

    def matches(self, name: str) -> bool:
        """Returns whether a column has this name."""
        parts = re.split(r"\b([A-Z]+)\b", self.name)
        parts[::2] = map(re.escape, parts[::2])
        parts[1::2] = [".+"] * len(parts[1::2])
        return re.fullmatch("".join(parts), name) is not None


def _of_pretraining(name: str, meaning: str) -> Column:
    return Column(name, "number", f"of a pretraining: {meaning}", optional=True)


@dataclasses.dataclass(frozen=True)
class Table:
    """The columns of a file.

    Attributes:
      anchor: of its section.
      title: heading.
      text: before the table, as Markdown.
      columns: in their order.
    """

    anchor: str
    title: str
    text: str
    columns: tuple[Column, ...]


_IDS = (
    Column("path", "text", "of the image, as in the data"),
    Column("patient_id", "text", "empty if unknown; intervals then take the image for a patient"),
    Column("study_id", "text", "empty if unknown"),
    Column("site", "text", "hospital or scanner; empty if unknown"),
    Column("split", "text", "`validation` or `test`; of an evaluation the split that is scored"),
)
PREDICTIONS = Table(
    "predictions",
    "predictions.parquet",
    "One row per image. NAME is the name of a label. `pandas.read_parquet` reads it.",
    (
        *_IDS,
        Column("sex", "text", "as in the data", optional=True),
        Column("age", "number", "years", optional=True),
        Column("view", "text", "of a radiograph, such as `frontal`", optional=True),
        Column("label/NAME", "number", "1 positive, 0 negative, empty unknown, after policies"),
        Column("score/NAME", "number", "calibrated probability, 0 to 1"),
        Column("logit/NAME", "number", "output of the network, before calibration"),
        Column(
            "log_odds/NAME",
            "number",
            "log odds of the probability, which rank images whose probabilities round to 1",
        ),
        Column("found/NAME", "number", "label as found, before policies: -1 uncertain"),
    ),
)
PREDICTED = Table(
    "predicted",
    "FILE.parquet or FILE.csv of remedis predict",
    "One row per image, without labels. LABEL is the name of a label. What made the table is in "
    "the metadata of a Parquet file under `remedis`, and in `FILE.csv.json` beside a CSV file.",
    (
        *_IDS[:4],
        Column("split", "text", "as in the data; empty if unknown"),
        Column("slide_id", "text", "of a tile: its slide", optional=True),
        Column("sha256", "text", "of the encoded image"),
        Column("score/LABEL", "number", "calibrated probability, 0 to 1"),
        Column("logit/LABEL", "number", "output of the network, before calibration"),
        Column("log_odds/LABEL", "number", "log odds of the probability"),
        Column(
            "decision/KIND/LABEL",
            "whole number",
            "1 if the probability reaches the threshold KIND, `youden` or `target_sensitivity`, 0 "
            "below; empty if the label has none; absent if the model has none",
            optional=True,
        ),
        Column("predicted_class", "text", "the most probable of exclusive classes", optional=True),
    ),
)
SCAN = Table(
    "scan",
    "scan.parquet",
    "One row per image file that was ever checked here. It can be deleted: it is made again.",
    (
        Column("file", "text", "absolute path of the file"),
        Column("item", "text", "name of the image in a container, else empty"),
        Column("size", "whole number", "bytes of the file"),
        Column("mtime_ns", "whole number", "time of its last change, in nanoseconds since 1970"),
        Column("sha256", "text", "of the encoded image"),
        Column("height", "whole number", "pixels"),
        Column("width", "whole number", "pixels"),
        Column("channels", "whole number", "1 or 3"),
        Column("bits", "whole number", "per channel as stored; empty for DICOM"),
        Column("colour", "true or false", "whether the three channels differ"),
        Column("low", "number", "smallest grey value, 0 to 1"),
        Column("high", "number", "largest grey value, 0 to 1"),
        Column("mean", "number", "mean grey value, 0 to 1"),
        Column("histogram", "bytes", "counts of grey values in 32 bins"),
        Column("thumbnail", "bytes", "the image averaged to 8 x 8 pixels"),
        Column("phash", "text", "perceptual hash, by which similar images are found"),
        Column("look", "bytes", "hashes by which copies are found"),
        Column("fault", "text", "what is wrong with the image, one sentence; empty if nothing is"),
        Column("version", "whole number", "of the check; rows of another version are made again"),
    ),
)
BAD_IMAGES = Table(
    "bad-images",
    "bad_images.csv",
    "One row per image that cannot be used. The file is absent if there is none.",
    (
        Column("path", "text", "of the image, as in the data"),
        Column("fault", "text", "what is wrong with it, one sentence"),
    ),
)
METRICS = Table(
    "metrics",
    "metrics.jsonl",
    "One JSON object per line: a step of training, or an evaluation at a step. Training values "
    "are those of one batch, at the steps of `config.log_every`.",
    (
        Column("step", "whole number", "of the training, from 1; 0 is before it"),
        Column("train/loss", "number", "what the training minimises", optional=True),
        Column("train/learning_rate", "number", "of the head", optional=True),
        Column("validation/auroc", "number", "mean over labels; `null` without one", optional=True),
        Column("validation/loss", "number", "mean over images and labels", optional=True),
        _of_pretraining("probe/linear_auroc", "mean AUROC of a linear probe"),
        _of_pretraining("probe/knn_auroc", "mean AUROC of the nearest neighbours"),
        _of_pretraining("train/alignment", "mean squared distance of two views, 0 to 4"),
        _of_pretraining("train/uniformity", "how the outputs fill the sphere; lower is more even"),
        _of_pretraining("train/instance_top1", "share of images whose other view is found, 0 to 1"),
        _of_pretraining(
            "train/embedding_std", "spread of the outputs; near 0 the network has collapsed"
        ),
        _of_pretraining("train/effective_rank", "how many directions the features use"),
    ),
)
CURVES = Table(
    "curves",
    "curves.csv",
    "One row per arm, way of adaptation, number of patients and label. Numbers that are not "
    "estimable are empty.",
    (
        Column("arm", "text", "its name"),
        Column("mode", "text", "`probe` or `finetune`"),
        Column("patients", "whole number", "labelled patients; 0 is zero-shot"),
        Column("images", "whole number", "their images"),
        Column("label", "text", "name of a label, or `mean`"),
        Column(
            "auroc",
            "number",
            "mean over seeds; with another metric its name, such as `top_3_accuracy`",
        ),
        Column("low", "number", "lower end of the 95 % interval"),
        Column("high", "number", "upper end"),
        Column("band_low", "number", "of the mean: lower end of the band of the whole curve"),
        Column("band_high", "number", "upper end"),
        Column("test_patients", "whole number", "patients of the test set with a known label"),
        Column("test_positives", "whole number", "of these with a positive image"),
    ),
)
EMBEDDINGS = Table(
    "embeddings",
    "FILE of remedis embed",
    "One row per image. NPZ, HDF5 and Zarr files have the columns as arrays, with empty text where "
    "there is none.",
    (
        *_IDS[:4],
        Column("split", "text", "as in the data; empty if unknown"),
        Column("sha256", "text", "of the encoded image"),
        Column("NAME", "number", "a label: 1, 0, -1 uncertain, empty unknown", optional=True),
        Column("embedding", "list of numbers", "float32; as many as the network has channels"),
    ),
)
STORE = Table(
    "store",
    "KEY/SHARD.npz",
    "Up to 1,024 embeddings. KEY is a hash of the network, its weights and the preprocessing.",
    (
        Column("sha256", "text", "[rows], of the images"),
        Column("embedding", "list of numbers", "[rows, channels] float32"),
    ),
)
CELLS = Table(
    "cells",
    "cells/ARM-MODE-PATIENTS-SEED.npz",
    "The result of one model of a study.",
    (
        Column("scores", "list of numbers", "[test images, labels] float32"),
        Column("seconds", "number", "that it took"),
        Column("choice", "text", "JSON: names, scores and index of the chosen settings"),
    ),
)
SCORES = Table(
    "scores",
    "id/ARM-probe.npz and id/ARM/scores.npz",
    "The scores of an arm's model of the first hospital.",
    (
        Column("inside", "list of numbers", "[test images of the first hospital, labels] float32"),
        Column("zero_shot", "list of numbers", "[test images of the second, labels] float32"),
        Column("pool", "list of numbers", "[images that may be labelled, labels]", optional=True),
        Column("provenance", "text", "JSON: [origin of the weights](results.md#weights)"),
        Column("seconds", "number", "that it took"),
        Column("tuning", "text", "JSON: [its settings](study-summary.md#training)"),
    ),
)
REFERENCE = Table(
    "reference",
    "reference.npz of an export",
    "Embeddings and logits of some test patients, one image each, in random order and without ids.",
    (
        Column("embedding", "list of numbers", "[patients, channels] float32"),
        Column("logits", "list of numbers", "[patients, labels] float32, before calibration"),
        Column("data", "text", "name of the data"),
        Column("population", "number", "patients that these were drawn from"),
    ),
)
TABLES = (
    PREDICTIONS,
    PREDICTED,
    SCAN,
    BAD_IMAGES,
    METRICS,
    CURVES,
    EMBEDDINGS,
    STORE,
    CELLS,
    SCORES,
    REFERENCE,
)
