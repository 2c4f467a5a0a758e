"""What people ask about a checkpoint before they load it: one frozen record each."""

import dataclasses

from remedis.models.architectures import Architecture
from remedis.zoo import names

BIT_OF_SIZE = {"m": "BiT-M, supervised on ImageNet-21k", "s": "BiT-S, supervised on ImageNet-1k"}
PRETRAINED_ON = {
    "cxr": "unlabelled chest radiographs: MIMIC-CXR and CheXpert, SimCLR",
    "path": "50 million unlabelled patches of 29,018 TCGA slides of 32 studies, SimCLR",
}
# Inputs of the fine-tuning recipes; the networks take any height and width.
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
    """A released checkpoint as published. What a directory holds is in its own `remedis.json`.

    Attributes:
      name: the checkpoint's name.
      architecture: depth x width of the ResNet.
      input_size: height and width of the documented recipes, pixels.
      value_range: what pixel values a caller feeds.
      channels: of the image.
      map_channels: of the unpooled map, stride 32, and so of the embedding.
      parameters: scalars in the released backbone, which lacks BiT's final group norm.
      tensors: variables they come in.
      initialised_from: weights the self-supervised training started from.
      pretrained_on: data and method of that training.
      terms: licence and terms of the release.
      where: where a person can get the release.
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
    parts = names.parse(name)
    architecture = Architecture.parse(parts.architecture)
    return Record(
        name=name,
        architecture=parts.architecture,
        input_size=INPUT_SIZE[parts.data_type],
        value_range=(0.0, 1.0),
        channels=3,
        map_channels=architecture.map_channels,
        parameters=architecture.parameters(final_norm=False),
        tensors=len(architecture.shapes(final_norm=False)),
        initialised_from=BIT_OF_SIZE[parts.size],
        pretrained_on=PRETRAINED_ON[parts.data_type],
        terms=TERMS,
        where=WHERE,
        citation=CITATION,
    )


RECORDS = {name: record(name) for name in names.NAMES}
