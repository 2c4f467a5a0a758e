"""The outlier score on real images: children from adults, one laboratory from another.

    python benchmarks/outlier_scores.py --kermany=DIR --nih64=DIR --wbc=DIR \
        --workdir=runs/outliers --out=docs/results.md \
        --checkpoints='simclr of radiographs=DIR; random weights=scratch:50x0.5'

The data are those of `benchmarks/transfer.py` and `benchmarks/white_blood_cells.py`. Half of the
patients of a hospital are the reference. Its other half is the control: an outlier score should not
tell it from the reference. The images of the other hospital should have higher scores.
"""

import pathlib
from collections.abc import Iterator

import numpy as np
import results
import transfer
import white_blood_cells_runs as cells

import remedis
from remedis.data.manifest import Manifest
from remedis.evaluation import outliers
from remedis.inference.outlying_images import NEIGHBOUR

SIZE = 64  # pixels
PATIENTS = 400  # at most, per hospital
PAIRS = {
    "children, adults": ("chest/id", "chest/ood", transfer.LABEL),
    "tecom, bccd": ("cells/tecom", "cells/bccd", "mononuclear"),
}


def drawn(folder: pathlib.Path, label: str, patients: int) -> Manifest:
    """Returns the images of some patients of a folder, drawn with seed 0."""
    manifest = remedis.load_manifest(str(folder), labels=[label])
    everyone = np.sort(manifest.table["patient_id"].unique())
    few = np.random.default_rng(0).permutation(everyone)[:patients]
    return manifest.subset(manifest.table["patient_id"].isin(few))


def halves(manifest: Manifest) -> np.ndarray:
    """Returns [n] booleans: whether an image is of the first half of the patients."""
    everyone = np.random.default_rng(1).permutation(np.sort(manifest.table["patient_id"].unique()))
    return manifest.table["patient_id"].isin(everyone[: len(everyone) // 2]).to_numpy()


def rows(workdir: pathlib.Path, pair: str, name: str, checkpoint: str) -> Iterator[str]:
    """Yields a row of the table per reference: the control, and the other hospital.

    Args:
      workdir: holds the prepared data, and keeps embeddings.
      pair: a name in `PAIRS`.
      name: of the checkpoint, for the table.
      checkpoint: as `remedis.embed` takes it.
    """
    *folders, label = PAIRS[pair]
    manifests = [drawn(workdir / "data" / folder, label, PATIENTS) for folder in folders]
    embedded = [
        remedis.embed(
            checkpoint,
            manifest,
            preprocess=f"resize({SIZE})",
            store=workdir / "embeddings",
        ).rows
        for manifest in manifests
    ]
    names = pair.split(", ")
    for own, other in ((0, 1), (1, 0)):
        ids, other_ids = (manifests[i].table["patient_id"].to_numpy() for i in (own, other))
        first = halves(manifests[own])
        reference = embedded[own][first]
        inside = outliers.own_scores(reference, ids[first], NEIGHBOUR)
        found = [
            outliers.told_apart(
                inside, ids[first], outliers.scores(reference, queries, NEIGHBOUR), query_ids
            )
            for queries, query_ids in (
                (embedded[own][~first], ids[~first]),
                (embedded[other], other_ids),
            )
        ]
        yield (
            f"| {names[own]} | {first.sum()} | {name} | {found[0].interval} | {names[other]} | "
            f"{found[1].interval} |"
        )


def section(workdir: pathlib.Path, checkpoints: dict[str, str]) -> str:
    """Returns the section: one table of both pairs and all checkpoints."""
    table = [
        row
        for pair in PAIRS
        for name, checkpoint in checkpoints.items()
        for row in rows(workdir, pair, name, checkpoint)
    ]
    return "\n".join(
        [
            "## The outlier score: children from adults, one laboratory from another",
            "",
            "Written by `python benchmarks/outlier_scores.py --kermany=DIR --nih64=DIR --wbc=DIR "
            "--workdir=DIR --checkpoints=NAMES --out=docs/results.md`.",
            "",
            f"The score of an image is its distance, 1 - cosine, to the {NEIGHBOUR}th nearest "
            f"image of another patient in the reference, {SIZE} pixels wide. The reference is half "
            f"of the patients of a hospital (of at most {PATIENTS} patients, drawn once). The "
            "AUROC says how well the score tells other images from those of the reference: the "
            "other half of the same patients, the control, where 0.5 is expected, and the images "
            "of the other hospital. Intervals: 95 %, DeLong by patient; they do not cover another "
            "reference, nor another network. No label is used.",
            "",
            "| reference | images | network | control | other images | AUROC |",
            "|---|---|---|---|---|---|",
            *table,
            "",
            "An AUROC below 0.5 says that the other images lie closer to the reference than its "
            "own images lie to each other: a data set of less variety is not an outlier to one of "
            "more. No patients of the cells are known; each counts as one.",
        ]
    )


def main() -> None:
    """Prepares the data, embeds the images and writes the section."""
    parser = transfer.arguments(__doc__)
    parser.add_argument("--wbc", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--checkpoints", default="random weights=scratch:50x0.5")
    parsed = parser.parse_args()
    workdir = parsed.workdir.resolve()
    transfer.write_manifests(parsed.kermany, parsed.nih64, workdir / "data" / "chest")
    cells.write_manifests(parsed.wbc, workdir / "data" / "cells")
    named = (part.partition("=") for part in parsed.checkpoints.split(";"))
    text = section(workdir, {name.strip(): checkpoint.strip() for name, _, checkpoint in named})
    results.deliver(parsed.out, "outlier-scores", text)


if __name__ == "__main__":
    main()
