"""Published facts about the eight checkpoints, one record per checkpoint."""

import dataclasses

from remedis.models.architectures import Architecture
from remedis.zoo import names

BIT_OF_SIZE = {"m": "BiT-M, supervised on ImageNet-21k", "s": "BiT-S, supervised on ImageNet-1k"}
PRETRAINED_ON = {
    "cxr": "unlabelled chest radiographs: MIMIC-CXR and CheXpert, SimCLR",
    "path": "50 million unlabelled patches of 29,018 TCGA slides of 32 studies, SimCLR",
}
# Image sizes of the released notebook, in pixels. The networks take any height and width.
INPUT_SIZE = {"cxr": 448, "path": 224}
WHERE = 'PhysioNet, "Medical AI Research Foundations", version 1.0.0, DOI 10.13026/grp0-z205'
TERMS = (
    'credentialed access with CITI training, "Medical AI Foundations Checkpoints: Additional Terms '
    'of Service"; non-diagnostic research models. Read the terms at the source before use'
)
CITATION = (
    "Azizi et al., Robust and data-efficient generalization of self-supervised machine learning "
    "for diagnostic imaging. Nat. Biomed. Eng. 7:756-779 (2023), arXiv 2205.09723"
)


@dataclasses.dataclass(frozen=True)
class Record:
    """A released checkpoint as published. A folder describes its own content in `remedis.json`.

    Attributes:
      name: the checkpoint's name.
      architecture: depth x width of the ResNet.
      input_size: height and width of images in the released notebook, in pixels.
      value_range: smallest and largest pixel value of the input.
      channels: of the image.
      map_channels: of the unpooled map (stride 32) and of the embedding.
      parameters: number of scalars in the released backbone, which lacks BiT's final group norm.
      tensors: number of variables.
      initialised_from: the weights that the self-supervised training started from.
      pretrained_on: data and method of that training.
      terms: licence and terms of the release.
      where: the place where the release can be obtained.
      citation: the paper to cite.
    """

    name: str
    architecture: str
    input_size: int
    value_range: tuple[float, float]
    channels: int
    map_channels: int
    parameters: int
    tensors: int
    initialised_from: str
    pretrained_on: str
    terms: str
    where: str
    citation: str


def record(name: str) -> Record:
    """Returns the record of a checkpoint.

    Raises:
      UserError: there is no checkpoint of that name.
    """
    fields = names.parse(name)
    architecture = Architecture.parse(fields.architecture)
    return Record(
        name=name,
        architecture=fields.architecture,
        input_size=INPUT_SIZE[fields.data_type],
        value_range=(0.0, 1.0),
        channels=3,
        map_channels=architecture.map_channels,
        parameters=architecture.parameters(final_norm=False),
        tensors=len(architecture.shapes(final_norm=False)),
        initialised_from=BIT_OF_SIZE[fields.size],
        pretrained_on=PRETRAINED_ON[fields.data_type],
        terms=TERMS,
        where=WHERE,
        citation=CITATION,
    )


RECORDS = {name: record(name) for name in names.NAMES}
