"""SavedModel folders of served objects, each with its description and its model card."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal

import keras
import tensorflow as tf
from annotated_types import Ge, Gt, Le, Len
from typing_extensions import NotRequired, TypedDict

import remedis
from remedis import files, limits, writing
from remedis.evaluation.calibration import CalibrationRecord
from remedis.evaluation.intervals import EstimateRecord
from remedis.evaluation.thresholds import ThresholdsRecord
from remedis.json_records import Count, Expect, Line, Name, Pair
from remedis.models.applications import KERAS, names
from remedis.models.architectures import MAX_UNITS, MAX_WIDTH
from remedis.models.group_norm import gradients_of_operations
from remedis.zoo import bundle_metadata, card, licences, shared_names
from remedis.zoo.licences import LicenceRecord
from remedis.zoo.provenance import Provenance, ProvenanceRecord
from remedis.zoo.serving import ServedModel

DESCRIPTION = "remedis.json"
CARD = "MODEL_CARD.md"
METADATA = "metadata.json"  # of `bundle_metadata`; nothing reads it back
SEEN = "seen.json"  # of `seen_images`
RUN_RECORD = "run.json"  # of `run_record`
REFERENCE = "reference.npz"  # of `reference_sample`
# Format 1 of remedis.json calls a backbone a trunk.
BACKBONE_KIND = "trunk"
_KEYS = {"backbone_range": "trunk_range"}


class PublishedRecord(TypedDict):
    """`remedis.zoo.records.Record.to_json`."""

    name: Line
    architecture: NotRequired[Line]
    value_range: NotRequired[Pair]
    channels: NotRequired[Count]
    map_channels: NotRequired[Count]
    parameters: NotRequired[Count]
    tensors: NotRequired[Count]
    input_size: Annotated[int, Ge(1), Le(10_000)]
    initialised_from: Line
    pretrained_on: Line
    terms: Line
    where: Line
    citation: Line


class _Performance(TypedDict):
    """Performance of a classifier on data that chose nothing.

    Attributes:
      data: name of the data.
      source: name of the data source, of published data; empty for others.
      images: number of images scored.
      labelled_images: those of them with a known label.
      patients: number of patients with a known label.
      note: a sentence on what the intervals contain.
      warnings: sentences for whoever quotes the numbers.
      labels: label -> metric -> number.
      mean: metric -> mean over the `averaged` labels.
      averaged: labels in the mean AUROC.
    """

    data: Line
    source: NotRequired[Line]
    images: Count
    labelled_images: NotRequired[Count]
    patients: Count
    note: Line
    warnings: list[Line]
    labels: dict[Name, dict[Name, EstimateRecord]]
    mean: dict[Name, EstimateRecord]
    averaged: list[Line]


def _same_metrics(of: Any) -> bool:
    """Returns whether all labels have the metrics of the mean, AUROC among them."""
    metrics = of["mean"].keys()
    return "auroc" in metrics and all(label.keys() == metrics for label in of["labels"].values())


PerformanceRecord = Annotated[
    _Performance,
    Expect("the same metrics for all labels and their mean, with auroc", _same_metrics),
]


def _labels_agree(values: Any) -> bool:
    """Returns whether everything about labels is about those of the description."""
    labels = values.get("labels", [])
    if len(set(labels)) < len(labels):
        return False
    fitted, chosen = values.get("calibration"), values.get("thresholds")
    if fitted and not len(labels) == len(fitted["scale"]) == len(fitted["offset"]):
        return False
    kinds = [chosen["youden"], chosen["target_sensitivity"]] if chosen else []
    return all(kind.keys() == set(labels) for kind in kinds)


class _DescriptionRecord(TypedDict):
    """`Description.to_json`, of any version.

    Attributes:
      format: version of this format, 1.
      kind: `trunk`, a backbone, or `classifier`, a backbone with a head.
      trunk_range: values that the graph maps 0 and 1 to before the first convolution. None for a
        release's own graph and for networks of `keras.applications`.
      calibration: of a classifier's probabilities. None if it was not calibrated.
      thresholds: of a classifier's probabilities. None if none were chosen.
      label_policies: of a classifier, what labels counted as: the `source` of the data, and the
        config's keys of label policies. None in folders of earlier versions.
      performance: of a classifier, on data that chose nothing. None if it was not measured.
      software: package -> version that wrote the folder.
    """

    format: NotRequired[Count]
    kind: Literal["trunk", "classifier"]
    name: Line
    units: Annotated[
        list[Annotated[int, Ge(1), Le(MAX_UNITS)]],
        Expect("four numbers, or none", lambda units: len(units) in (0, 4)),
    ]
    width: Annotated[float, Gt(0), Le(MAX_WIDTH)] | None
    final_norm: bool
    value_range: Pair
    trunk_range: Pair | None
    parameters: Count
    tensors: Count
    signatures: list[Name]
    provenance: ProvenanceRecord
    record: NotRequired[PublishedRecord | None]
    backbone: NotRequired[Line]
    labels: NotRequired[Annotated[list[Name], Len(0, 10_000)]]
    preprocess: NotRequired[Line | None]
    task: NotRequired[Literal["multi_label", "multi_class"]]
    head_norm: NotRequired[bool]
    calibration: NotRequired[CalibrationRecord | None]
    thresholds: NotRequired[ThresholdsRecord | None]
    label_policies: NotRequired[dict[Name, Line] | None]
    performance: NotRequired[PerformanceRecord | None]
    pixel_range: NotRequired[Line | None]
    max_pixels: NotRequired[Annotated[int, Ge(1), Le(round(limits.MOST_MEGAPIXELS * 1e6))] | None]
    map_channels: NotRequired[Count | None]
    licences: NotRequired[list[LicenceRecord] | None]
    software: NotRequired[dict[Name, Line]]


DescriptionRecord = Annotated[
    _DescriptionRecord,
    Expect(
        "width with units, or a network of keras.applications",
        lambda of: (
            of["width"] is not None
            if of["units"]
            else of.get("backbone", "").removeprefix(KERAS) in names()
        ),
    ),
    Expect(
        "labels and preprocess of a classifier",
        lambda of: (
            of["kind"] != "classifier" or (of.get("labels") and of.get("preprocess") is not None)
        ),
    ),
    Expect("labels, each once, which calibration and thresholds are of", _labels_agree),
]


@dataclasses.dataclass(frozen=True)
class Description:
    """The content of a folder's `remedis.json`.

    Attributes:
      kind: `BACKBONE_KIND`, or `classifier` for a backbone with a head.
      name: of the checkpoint or the run.
      units: bottleneck units in each block of a BiT backbone; empty for other backbones.
      width: multiplier of its channels; None for other backbones.
      final_norm: whether the backbone has the norm before a head, which `pre_logits` needs.
      value_range: smallest and largest pixel value of the input.
      backbone_range: values that the graph maps 0 and 1 to before the first convolution. None for a
        release's own graph and for networks of `keras.applications`, which map them in their own
        way.
      parameters: number of scalars in all variables.
      tensors: number of variables.
      signatures: names of the signatures.
      provenance: of the weights.
      record: of the published checkpoint of this name, if there is one.
      backbone: architecture of the backbone: `50x1`, or `keras:DenseNet121`.
      labels: names of a classifier's labels, in the order of its outputs.
      preprocess: specification of the preprocessing for evaluation; None if it is not known, as for
        backbones of earlier versions.
      task: of a classifier, `multi_label` or `multi_class`.
      head_norm: whether a classifier was asked to normalise the map before pooling.
      calibration: of a classifier's probabilities. `method`; `scale` and `offset`, lists in the
        order of the labels; `fitted_on` with the number of `cases`; `data`, the name of the data
        they are from (the validation split if missing); `left_out`, labels with too few cases.
        `fitted_on` also has `labels`, with `method`, `cases`, `positives`, `negatives`,
        `prevalence` and, where it differs, `data` of each label, since a label that is left out
        keeps an earlier fit.
      thresholds: of a classifier's probabilities. Per kind one value per label, None where there is
        none; `log_odds` with the same thresholds as log odds; and `target` and `chosen_on`, see
        `remedis.evaluation.thresholds.Thresholds`.
      label_policies: of a classifier, what labels counted as: the `source` of the data, and the
        fields of `remedis.data.label_policies.LabelPolicies`. None in folders of earlier versions.
      performance: of a classifier, on data that chose nothing, see `performance_summary`. None if
        it was not measured, and in folders of earlier versions.
      pixel_range: `checked` if the graph refuses pixels that cannot be in [0, 1], `any` if it takes
        every finite value, as asked for; None in folders of earlier versions, whose graphs refuse
        values beyond 8 only.
      max_pixels: the largest number of pixels of a JPEG or PNG file that `serve_bytes` decodes; it
        refuses larger ones by their header. None without `serve_bytes`, and in folders of earlier
        versions, which decode files of any size.
      map_channels: channels of the map and of the embedding; None in folders of earlier versions.
      licences: the licence chain, see `remedis.zoo.licences`; None in folders of earlier versions.
      software: versions that wrote the folder.
    """

    kind: str
    name: str
    units: tuple[int, ...]
    width: float | None
    final_norm: bool
    value_range: tuple[float, float]
    backbone_range: tuple[float, float] | None
    parameters: int
    tensors: int
    signatures: tuple[str, ...]
    provenance: Provenance
    record: dict[str, Any] | None = None
    backbone: str = ""
    labels: tuple[str, ...] = ()
    preprocess: str | None = None
    task: str = "multi_label"
    head_norm: bool = True
    calibration: dict[str, Any] | None = None
    thresholds: dict[str, Any] | None = None
    label_policies: dict[str, str] | None = None
    performance: dict[str, Any] | None = None
    pixel_range: str | None = None
    max_pixels: int | None = None
    map_channels: int | None = None
    licences: list[LicenceRecord] | None = None
    software: dict[str, str] = dataclasses.field(
        default_factory=lambda: {
            "remedis": remedis.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        }
    )

    @property
    def application(self) -> str:
        """The network of `keras.applications` that the backbone is; empty for a BiT backbone."""
        keras_network = self.backbone.startswith(KERAS)
        return self.backbone.removeprefix(KERAS) if keras_network else ""

    def shared(self) -> "Description":
        """Returns the description for a folder that leaves the machine (`shared_names`).

        It has the licence chain.
        """
        calibration = shared_names.data_names(self.calibration)
        other_place = str((calibration or {}).get("data", ""))
        return dataclasses.replace(
            self,
            provenance=self.provenance.shared(),
            calibration=calibration,
            thresholds=shared_names.data_names(self.thresholds),
            licences=licences.chain(self.provenance, other_place),
        )

    def to_json(self) -> dict[str, Any]:
        """Returns plain values for `from_json`."""
        values = dataclasses.asdict(self)
        return {"format": 1, **{_KEYS.get(name, name): value for name, value in values.items()}}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Description":
        """Returns the description from the values of `to_json`, of any version."""
        names = [field.name for field in dataclasses.fields(cls)]
        known = {n: values[_KEYS.get(n, n)] for n in names if _KEYS.get(n, n) in values}
        for key in ("units", "value_range", "backbone_range", "signatures", "labels"):
            if known.get(key) is not None:
                known[key] = tuple(known[key])
        return cls(**{**known, "provenance": Provenance.from_json(values["provenance"])})


def save(
    served: ServedModel,
    description: Description,
    directory: files.Path,
    overwrite: bool = False,
    beside: Iterable[Callable[[pathlib.Path], object]] = (),
) -> pathlib.Path:
    """Writes the SavedModel, `remedis.json`, `metadata.json` and `MODEL_CARD.md`, all or nothing.

    They hold base names in place of paths.

    Args:
      served: the object that users load.
      description: of the object.
      directory: the folder to write.
      overwrite: replace an existing folder.
      beside: functions that each write one more file into the folder they are given.

    Raises:
      UserError: the folder exists and `overwrite` is false, or it cannot be written.
    """
    with writing.written(directory), files.whole_directory(directory, overwrite) as temporary:
        fill(served, description, temporary, beside)
    return pathlib.Path(directory)


def fill(
    served: ServedModel,
    description: Description,
    directory: pathlib.Path,
    beside: Iterable[Callable[[pathlib.Path], object]] = (),
) -> None:
    """Writes what `save` writes into an empty folder; a kill leaves some of the files."""
    with gradients_of_operations():  # TensorFlow traces the methods again
        tf.saved_model.save(served, directory.as_posix(), signatures=served.saved_signatures())
    (directory / "assets").mkdir(exist_ok=True)
    values = description.shared().to_json()
    files.write_json(directory / DESCRIPTION, values)
    files.write_json(directory / METADATA, bundle_metadata.metadata(values))
    for write in beside:
        write(directory)
    files.write_text(directory / CARD, card.text(values, (directory / SEEN).is_file()))
