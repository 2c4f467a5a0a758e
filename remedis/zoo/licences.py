"""The licence chain of a model: code, weights and data, each with where its terms were read.

No licence is stated here that was not read at its source. Where it was not read, the place to read
it is named. What users state about their own data stands as their statement.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from typing_extensions import NotRequired, TypedDict

from remedis.errors import UserError
from remedis.json_records import Line
from remedis.options import spelled
from remedis.zoo import names, records
from remedis.zoo.provenance import SELF_SUPERVISION, Provenance

READ, STATED, NOT_CHECKED = "read", "stated", "not checked"
MADE_UP = "made up by this program for a rehearsal; nobody's terms apply"
DATA = "data"  # key of `Provenance.details`: of each data set its `source` and stated `terms`
_LONGEST = 500  # characters of terms that a user states


class LicenceRecord(TypedDict):
    """One link of the chain.

    Attributes:
      kind: `code`, `weights` or `data`.
      name: of the code, the weights or the data set.
      status: `read` (at `where`), `stated` (by those who trained the model) or `not checked`.
      terms: the licence or agreement; of one that is not checked its name at most.
      where: address or file where the terms were read, or are to be read; empty for none.
      source: name of the data source, of published data.
    """

    kind: Literal["code", "weights", "data"]
    name: Line
    status: Literal["read", "stated", "not checked"]
    terms: Line
    where: Line
    source: NotRequired[Line]


def _link(kind: Any, name: str, status: Any, terms: str, where: str) -> LicenceRecord:
    return {"kind": kind, "name": name, "status": status, "terms": terms, "where": where}


CODE = _link("code", "remedis", READ, "Apache-2.0", "LICENSE of this package")
BIT = _link(
    "weights",
    "BiT",
    NOT_CHECKED,
    "",
    "https://github.com/google-research/big_transfer, whose source files say Apache-2.0",
)
RELEASE = _link(
    "weights",
    "REMEDIS release",
    NOT_CHECKED,
    '"Medical AI Foundations Checkpoints: Additional Terms of Service", credentialed access',
    "https://doi.org/10.13026/grp0-z205",
)
KERAS = _link(
    "weights",
    "a weight file of keras.applications",
    NOT_CHECKED,
    "",
    "https://keras.io/api/applications/, or where the file is from",
)
# Terms of published data sets, by the name of their source here.
PUBLISHED: Mapping[str, LicenceRecord] = {
    source: {**_link(DATA, name, status, terms, where), "source": source}
    for source, name, status, terms, where in (
        (
            "chexpert",
            "CheXpert",
            NOT_CHECKED,
            "Stanford's research use agreement",
            "https://stanfordmlgroup.github.io/competitions/chexpert/",
        ),
        (
            "mimic_cxr",
            "MIMIC-CXR-JPG",
            NOT_CHECKED,
            "PhysioNet's agreement, credentialed access",
            "https://physionet.org/content/mimic-cxr-jpg/",
        ),
        (
            "chestxray14",
            "ChestX-ray14",
            READ,
            "no restriction on use; link to the download site, citation of the paper, and "
            "acknowledgement of the NIH Clinical Center",
            "https://cloud.google.com/healthcare-api/docs/resources/public-datasets/nih-chest, "
            "which hosts a copy; the source is https://nihcc.app.box.com/v/ChestXray-NIHCC",
        ),
        (
            "openi",
            "OpenI, the Indiana University collection",
            READ,
            "CC BY-NC-ND 4.0",
            "https://openi.nlm.nih.gov/, the element licenseURL of each XML file",
        ),
        (
            "padchest",
            "PadChest",
            NOT_CHECKED,
            "BIMCV's research use agreement",
            "https://bimcv.cipf.es/bimcv-projects/padchest/",
        ),
        (
            "rsna_pneumonia",
            "RSNA Pneumonia Detection Challenge",
            NOT_CHECKED,
            "the rules of the competition, and the terms of ChestX-ray14",
            "https://www.kaggle.com/c/rsna-pneumonia-detection-challenge",
        ),
        (
            "siim_pneumothorax",
            "SIIM-ACR Pneumothorax Segmentation",
            NOT_CHECKED,
            "the rules of the competition, and the terms of ChestX-ray14",
            "https://www.kaggle.com/c/siim-acr-pneumothorax-segmentation",
        ),
        (
            "medmnist",
            "MedMNIST",
            READ,
            "CC BY 4.0, DermaMNIST CC BY-NC 4.0",
            "https://pypi.org/project/medmnist/, info.py of 3.0.2",
        ),
        (
            "patch_camelyon",
            "PatchCamelyon",
            READ,
            "CC0",
            "https://github.com/basveeling/pcam, README.md",
        ),
        (
            "pcam_kaggle",
            "PatchCamelyon, Kaggle's edition",
            READ,
            "CC0",
            "https://github.com/openai/mle-bench, description.md of "
            "histopathologic-cancer-detection, a copy of the competition's page",
        ),
        (
            "vindr_cxr",
            "VinDr-CXR",
            NOT_CHECKED,
            "PhysioNet's agreement, credentialed access",
            "https://physionet.org/content/vindr-cxr/",
        ),
        (
            "wilds_camelyon17",
            "Camelyon17-WILDS",
            READ,
            "CC0",
            "https://github.com/p-lambda/wilds, wilds/datasets/camelyon17_dataset.py",
        ),
        (
            "camelyon16",
            "Camelyon16",
            READ,
            "CC0",
            "https://camelyon17.grand-challenge.org/Data/, which is about both",
        ),
        (
            "camelyon17",
            "Camelyon17",
            READ,
            "CC0",
            "https://camelyon17.grand-challenge.org/Data/",
        ),
    )
}
IMAGENET = _link(DATA, "ImageNet", NOT_CHECKED, "", "https://www.image-net.org/")
TCGA = _link(DATA, "TCGA slides", NOT_CHECKED, "", "https://www.cancer.gov/tcga")
_RELEASED_ON = {"cxr": (PUBLISHED["mimic_cxr"], PUBLISHED["chexpert"]), "path": (TCGA,)}
_TRAINERS = "those who trained the model"  # stands for a place to read


def check_terms(terms: str) -> None:
    """Raises a UserError for stated terms that are no short line."""
    if len(terms) > _LONGEST or len(terms.splitlines()) > 1:
        raise UserError(
            f"{spelled('data_terms')} has {len(terms):,} characters in "
            f"{len(terms.splitlines()):,} lines; expected one line of at most {_LONGEST}, such as "
            "'CC BY 4.0, https://...'."
        )


def published(source: str, terms: str) -> str:
    """Returns the name of a source if it is that of published data; empty for others.

    Args:
      source: name of the source, such as `chexpert`.
      terms: as for `data_record`; a rehearsal has made-up data under the names of published ones.
    """
    return source if source in PUBLISHED and terms != MADE_UP else ""


def data_record(source: str, terms: str = "") -> dict[str, str]:
    """Returns a data set as `Provenance.details` records it, under `DATA`.

    Args:
      source: name of the source, such as `chexpert`, or `csv-2` for the second of its kind.
      terms: what the user states about the terms of the data; empty for nothing.
    """
    return {"source": re.sub(r"-\d+$", "", source), "terms": terms}


def chain(provenance: Provenance, calibrated_on: str = "") -> list[LicenceRecord]:
    """Returns the links of a model: the code, then the weights and data of each step, newest first.

    Args:
      provenance: of the model's weights.
      calibrated_on: name of data of another place that a calibration was fitted to.
    """
    links = [CODE]
    if calibrated_on:
        links.append(
            _link(DATA, f"{calibrated_on}, for the calibration", NOT_CHECKED, "", _TRAINERS)
        )
    step: Provenance | None = provenance
    while step is not None:
        links += _of_step(step)
        step = step.parent
    unique: list[LicenceRecord] = []
    for link in links:
        if link not in unique:
            unique.append(link)
    return unique


def unchecked(links: Sequence[LicenceRecord]) -> list[LicenceRecord]:
    """Returns the links whose terms nobody has read for this chain."""
    return [link for link in links if link["status"] == NOT_CHECKED]


def is_unstated(link: LicenceRecord) -> bool:
    """Returns whether the terms are those of whoever trained the model, who did not state them."""
    return link["status"] == NOT_CHECKED and link["where"] == _TRAINERS


def sentence(link: LicenceRecord) -> str:
    """Returns a link as one line of text without its kind, such as `CheXpert: not checked, ...`."""
    if link["status"] == NOT_CHECKED:
        known = f"{link['terms']}; " if link["terms"] else ""
        if is_unstated(link) and link["kind"] == "weights":
            return f"{link['name']}: no licence stated yet"
        if is_unstated(link):
            return f"{link['name']}: {known}not stated by {_TRAINERS}"
        return f"{link['name']}: {known}not checked: read it at {link['where']}"
    if link["status"] == STATED:
        return f"{link['name']}: {link['terms']} (stated by {_TRAINERS})"
    where = f" (read at {link['where']})" if link["where"] else ""
    return f"{link['name']}: {link['terms']}{where}"


def _of_step(step: Provenance) -> Iterator[LicenceRecord]:
    """Yields the links of one step: its weights, then the data that it learnt from."""
    if step.origin == "random":
        yield _link("weights", "random weights", READ, "none: this program drew them", "")
    elif step.origin == "bit":
        yield {**BIT, "name": f"BiT, {step.file}" if step.file else "BiT"}
        yield IMAGENET
    elif step.origin == "keras":
        yield {**KERAS, "name": f"Keras, {step.file}" if step.file else KERAS["name"]}
    elif step.origin == "release":
        yield from _of_release(step.file or "")
    else:
        kind = "pretraining" if step.origin == SELF_SUPERVISION else "training"
        yield _link("weights", f"the weights made by this {kind}", NOT_CHECKED, "", _TRAINERS)
        yield from _of_data(step.details.get(DATA))


def _of_release(name: str) -> Iterator[LicenceRecord]:
    """Yields the links of a released checkpoint; those of its data if its name is known."""
    yield {**RELEASE, "name": f"REMEDIS release {name}".strip()}
    if name in names.NAMES:
        parsed = names.parse(name)
        yield from _RELEASED_ON[parsed.data_type]
        yield {**BIT, "name": records.BIT_OF_SIZE[parsed.size]}
        yield IMAGENET


def _of_data(recorded: Any) -> Iterator[LicenceRecord]:
    """Yields the links of the data of a training, as `data_record` makes them."""
    if not isinstance(recorded, list) or not all(isinstance(of, Mapping) for of in recorded):
        # Of an earlier version.
        yield _link(DATA, "the training images", NOT_CHECKED, "", _TRAINERS)
        return
    for of in recorded:
        source, terms = str(of.get("source")), str(of.get("terms") or "")
        known = PUBLISHED.get(source)
        if terms == MADE_UP:
            yield _link(DATA, "made-up images", READ, MADE_UP, "")
        elif known is not None and not terms:
            yield known
        elif terms:
            name = known["name"] if known else f"images of the source {source}"
            link = _link(DATA, name, STATED, terms, "")
            yield {**link, "source": source} if known else link
        else:
            where = _TRAINERS
            if source == "tfds":
                where = "dataset_info.json of the data set"
            yield _link(DATA, f"images of the source {source}", NOT_CHECKED, "", where)
