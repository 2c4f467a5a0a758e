"""The files that jobs and commands leave, with their content, their readers and their tables.

`tests/docs/test_run_files.py` compares the list with real runs: every file has an entry, and every
entry has a file.
"""

import dataclasses
import re
from collections.abc import Mapping

YES, PATHS, PATIENTS, DECIDE = "yes", "paths", "patients", "decide"
SHARING = {
    YES: "holds no path and no name of a patient",
    PATHS: "holds paths or names of your machine; read it before you share it",
    PATIENTS: "names patients or images, or is made of single images: protect it as you do the "
    "images",
    DECIDE: "lets whoever has it find out whether an image or a patient was among those of the "
    "training; delete it if that is too much",
}


@dataclasses.dataclass(frozen=True)
class Entry:
    """A file, or files of one form.

    Attributes:
      path: relative to the directory; words in capitals stand for any name.
      content: what it is, and when it is there if it is not always.
      reader: who reads it.
      sharing: a key of `SHARING`.
    """

    path: str
    content: str
    reader: str
    sharing: str

    def matches(self, path: str) -> bool:
        """Returns whether a file, relative to the directory, is one of these."""
        parts = re.split(r"(?<![A-Za-z_])([A-Z]+)(?![A-Za-z_])", self.path)
        parts[::2] = map(re.escape, parts[::2])
        parts[1::2] = [".+" if part == "FILES" else "[^/]+" for part in parts[1::2]]
        return re.fullmatch("".join(parts), path) is not None


@dataclasses.dataclass(frozen=True)
class Folder:
    """A directory that a command leaves.

    Attributes:
      anchor: of its section.
      title: heading.
      text: before the tables, as Markdown.
      groups: its files, by the heading of their table; empty for the only one.
    """

    anchor: str
    title: str
    text: str
    groups: Mapping[str, tuple[Entry, ...]]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All files."""
        return tuple(entry for group in self.groups.values() for entry in group)


YOU, RESUME, COMMANDS = "you", "the same command, to resume", "`remedis` commands"

EXPORT = Folder(
    "export",
    "The folder of a model",
    "`export/` of a run, and what `remedis build` and `remedis calibrate` write. Every command "
    "that takes a model takes this folder, and so do `hub.load` and `tf.saved_model.load`. It has "
    "base names instead of paths (of a `manifest.csv` also the name of its folder). `remedis "
    "calibrate --out=OUT` keeps the check of its images in `OUT.data/`. `remedis pack` makes one "
    "archive of the folder to share, without `seen.json` and `reference.npz`.",
    {
        "": (
            Entry(
                "remedis.json", "what it is: [its fields](records.md#description)", COMMANDS, YES
            ),
            Entry("MODEL_CARD.md", "the same in words, with the performance", YOU, YES),
            Entry("metadata.json", "the same in the form of MONAI bundles", "MONAI's tools", YES),
            Entry("saved_model.pb", "graph of the SavedModel", "TensorFlow", YES),
            Entry("variables/variables.FILES", "the weights", "TensorFlow", YES),
            Entry("fingerprint.pb", "hashes that TensorFlow writes", "TensorFlow", YES),
            Entry(
                "seen.json",
                "salted hashes of the images that a trained model has seen: "
                "[its fields](records.md#seen-images)",
                "jobs and `remedis evaluate`, which warn of known images",
                DECIDE,
            ),
            Entry(
                "run.json",
                "of a fine-tuning run and its calibrations: settings, leak check and results, "
                "without paths and ids: [its fields](records.md#run-record)",
                "`remedis evaluate`, which shows the drift, you",
                YES,
            ),
            Entry(
                "reference.npz",
                "embeddings and logits of some test patients, without ids "
                "(`config.reference_patients`): [its arrays](#reference)",
                "`remedis evaluate`, which shows the drift",
                PATIENTS,
            ),
            Entry(
                "projection.npz",
                "of a pretraining, the head of its method",
                "a pretraining that starts from this model",
                YES,
            ),
        )
    },
)


def _some(entries: tuple[Entry, ...], *paths: str, folder: str = "") -> tuple[Entry, ...]:
    """Returns the entries with these paths, within a folder."""
    return tuple(
        dataclasses.replace(one, path=f"{folder}{one.path}") for one in entries if one.path in paths
    )


_RECORDS = (
    Entry("config.json", "all settings of the run ([configs](configs.md))", RESUME, PATHS),
    Entry(
        "environment.json",
        "versions, command, commit, origin of the weights: [its fields](records.md#environment)",
        YOU,
        PATHS,
    ),
    Entry(
        "inputs.json", "digests of data and weights: [its fields](records.md#inputs)", RESUME, YES
    ),
)
_SCAN = (
    Entry(
        "scan.parquet",
        "the check of every image: [its columns](#scan)",
        "the same command, which reads only new images",
        PATIENTS,
    ),
    Entry(
        "bad_images.csv",
        "images that cannot be read, if there are any: [its columns](#bad-images)",
        YOU,
        PATIENTS,
    ),
)
_LEAKS = (
    Entry(
        "leaks.json",
        "whether splits share patients or images: [its fields](records.md#leaks)",
        "`report.html`, you",
        PATIENTS,
    ),
    Entry(
        "judged.json",
        "the images and patients that choose or test: [its fields](records.md#judged-images)",
        "a later pretraining (`config.leave_out`)",
        PATIENTS,
    ),
)
_COURSE = (
    Entry(
        "metrics.jsonl", "the course of the training: [its columns](#metrics)", "plots, you", YES
    ),
    Entry("training.png", "plot of the training", YOU, YES),
    Entry(
        "tensorboard/events.out.tfevents.FILES",
        "the course for TensorBoard; its name has the name of the host",
        "TensorBoard",
        PATHS,
    ),
    Entry("checkpoints/last/FILES", "the last states", RESUME, PATHS),
    Entry("checkpoints/best/FILES", "the best weights so far", RESUME, YES),
)
_REHEARSAL = Entry(
    "rehearsal/FILES", "made-up images and weights, of a rehearsal only", "the run itself", YES
)
_READ = (
    Entry("report.html", "the report: tables, plots and sentences on one page", YOU, PATHS),
    Entry(
        "results.json",
        "every number of the run: [its fields](results.md)",
        f"you, {COMMANDS}",
        PATHS,
    ),
    Entry(
        "predictions.parquet",
        "labels and scores of every image: [its columns](#predictions)",
        "`remedis evaluate`, `remedis compare`, you",
        PATIENTS,
    ),
    Entry("roc.png", "ROC curves", YOU, YES),
    Entry("reliability.png", "calibration plot", YOU, YES),
    Entry("subgroups.png", "metrics by group, if groups are known", YOU, YES),
)
_EXPORT_OF_RUN = Entry("export/FILES", "the model: [its files](#export)", "everyone", DECIDE)
RUN = Folder(
    "run",
    "A fine-tuning run",
    "`remedis finetune --workdir=DIR` writes these files into DIR. `results.json` comes last: with "
    "it the run is finished.",
    {
        "To read, and the model": (*_READ, _EXPORT_OF_RUN),
        "What it was made of": (*_RECORDS, *_LEAKS, *_SCAN),
        "The training": (
            *_COURSE,
            Entry(
                "candidates/candidate-N/candidate.json",
                "score of one candidate of `config.select`: [its field](records.md#candidate)",
                RESUME,
                YES,
            ),
            Entry(
                "candidates/candidate-N/FILES", "its training, with files as above", RESUME, PATHS
            ),
            Entry(
                "embeddings/KEY/SHARD.npz",
                "embeddings of the images, of a linear probe: [its arrays](#store)",
                "the same command; others with `config.embeddings_dir`",
                PATIENTS,
            ),
            _REHEARSAL,
        ),
    },
)
PRETRAINING = Folder(
    "pretraining",
    "A pretraining",
    "`remedis pretrain --workdir=DIR` writes these files into DIR.",
    {
        "To read, and the model": (
            Entry(
                "results.json",
                "what was trained, and its probes: [its fields](results.md#pretraining)",
                f"you, {COMMANDS}",
                PATHS,
            ),
            _EXPORT_OF_RUN,
        ),
        "What it was made of": (
            *_RECORDS,
            *_SCAN,
            Entry(
                "leaks.json",
                "images that are used and left out: [its fields](results.md#unlabelled-data)",
                YOU,
                PATHS,
            ),
            Entry(
                "probe/left_out.json",
                "split → labelled images that `config.leave_out` keeps from the probe",
                YOU,
                YES,
            ),
            Entry("probe/FILES", "the checks of the labelled images", RESUME, PATIENTS),
        ),
        "The training": (*_COURSE, _REHEARSAL),
    },
)
EVALUATION = Folder(
    "evaluation",
    "An evaluation",
    "`remedis evaluate MODEL DATA --out=DIR` writes these files into DIR. Without DATA it "
    "evaluates the stored predictions of a run, and reads no images. `remedis import-predictions "
    "FILE --out=DIR` writes the same of a table of another model's scores.",
    {"": (*_READ, *_SCAN)},
)
_SCORES = "[its arrays](#scores)"
STUDY = Folder(
    "study",
    "A study",
    "`remedis ood-curves --workdir=DIR` writes these files into DIR. A *cell* is one trained "
    "model: an arm, a way to adapt, a number of patients and a seed.",
    {
        "To read": (
            Entry("report.html", "the report: answers, curves and tables on one page", YOU, YES),
            Entry(
                "summary.json",
                "every number of the study: [its fields](study-summary.md)",
                f"you, {COMMANDS}",
                PATHS,
            ),
            Entry("curves.csv", "the learning curves: [its columns](#curves)", YOU, YES),
            Entry("figures/NAME.svg", "the curves, for a page", YOU, YES),
            Entry("figures/NAME.pdf", "the same for a paper", YOU, YES),
        ),
        "What it was made of": (
            *_RECORDS,
            *_some(_LEAKS, "judged.json"),
            Entry(
                "data/leaks.json",
                "whether the hospitals share images: [its fields](records.md#leaks)",
                YOU,
                PATIENTS,
            ),
            Entry("data/HOSPITAL/leaks.json", "the same of one hospital's splits", YOU, PATIENTS),
            Entry("data/HOSPITAL/FILES", "the checks of its images", RESUME, PATIENTS),
            Entry("weights/ARM.txt", "digest of the arm's checkpoint", RESUME, YES),
            Entry("weights-N/ARM.txt", "the same of further trainings of the arm", RESUME, YES),
        ),
        "The models": (
            Entry("cells/CELL.npz", "scores of one cell: [its arrays](#cells)", RESUME, PATIENTS),
            Entry(
                "id/ARM-probe.npz",
                f"scores of an arm with a linear probe, at the first hospital: {_SCORES}",
                RESUME,
                PATIENTS,
            ),
            Entry(
                "id/ARM/scores.npz", f"the same of a fine-tuned arm: {_SCORES}", RESUME, PATIENTS
            ),
            Entry("id/ARM/export/FILES", "its model: [its files](#export)", "everyone", DECIDE),
            Entry("id/ARM/FILES", "its training, with files as in a run", RESUME, PATHS),
            Entry("id-N/FILES", "the same of further trainings of the arms", RESUME, PATIENTS),
            Entry("embeddings/KEY/SHARD.npz", "embeddings: [its arrays](#store)", RESUME, PATIENTS),
            Entry("work/FILES", "cells in training", RESUME, PATIENTS),
            _REHEARSAL,
        ),
        "Several out-of-distribution sets": (
            Entry("ood_sets.json", "the sets: [its fields](study-summary.md#sets)", COMMANDS, YES),
            Entry("ood/SET/FILES", "a further set, with files as above", RESUME, PATIENTS),
            Entry("reports/SET.html", "the report of one of the sets", YOU, YES),
        ),
    },
)
SUITE = Folder(
    "suite",
    "A suite",
    "`remedis suite --workdir=DIR` writes these files into DIR.",
    {
        "": (
            Entry(
                "suite.json", "its sets and arms: [its fields](records.md#suite)", COMMANDS, PATHS
            ),
            Entry(
                "board.json",
                "numbers of the leaderboard: [its fields](records.md#leaderboard)",
                COMMANDS,
                PATHS,
            ),
            Entry("leaderboard.FILES", "the leaderboard as a page, CSV, Markdown, SVG", YOU, PATHS),
            *_some(_LEAKS, "judged.json"),
            Entry("sets/SET/FILES", "the [study](#study) of a set", "as there", PATIENTS),
        )
    },
)
ROBUSTNESS = Folder(
    "robustness",
    "A classifier under corruptions",
    "`remedis robustness MODEL DATA --out=DIR` writes these files into DIR.",
    {
        "": (
            Entry(
                "robustness.json",
                "metrics by corruption and strength: [its fields](records.md#robustness)",
                YOU,
                YES,
            ),
            Entry("robustness.csv", "the same as a table", YOU, YES),
            Entry("robustness.html", "the same as a page with curves", YOU, PATIENTS),
            Entry("corruptions.png", "one image under every corruption", YOU, PATIENTS),
            Entry("cells/FILES", "scores and embeddings of each corruption", RESUME, PATIENTS),
        )
    },
)
STORE = Folder(
    "store-of-embeddings",
    "A store of embeddings",
    "`remedis embed CHECKPOINT DATA --out=FILE --store=DIR` writes FILE ([its columns]"
    "(#embeddings)), and keeps every embedding in DIR, so that none is computed twice.",
    {
        "": (
            Entry("KEY/SHARD.npz", "embeddings: [its arrays](#store)", "`remedis embed`", PATIENTS),
            *_SCAN,
        )
    },
)
EMBEDDED_ARCHIVE = Folder(
    "archive-of-embeddings",
    "An archive of embeddings",
    "`remedis embed CHECKPOINT DATA --out=DIR --runner=NAME` writes DIR, in parts.",
    {
        "": (
            Entry("archive.json", "checkpoint and preprocessing", "`remedis embed`", YES),
            Entry("lists/PART.txt", "paths of images, NUL behind each", RESUME, PATHS),
            Entry("rows/PART.parquet", "embeddings: [its columns](#embeddings)", YOU, PATIENTS),
            Entry("unreadable/PART.csv", "unreadable images, each with its fault", YOU, PATHS),
        )
    },
)
PACKED = Folder(
    "packed",
    "Packed images",
    "`remedis prepare DATA --out=DIR` decodes and resizes images once, as a data set of TensorFlow "
    "Datasets. Images that cannot be read are in `DIR.bad_images.csv`.",
    {
        "": (
            Entry("NAME/1.0.0/SHARD.tfrecord-NUMBER-of-NUMBER", "the images", "jobs", PATIENTS),
            Entry("NAME/1.0.0/dataset_info.json", "splits and their sizes", "jobs", PATHS),
            Entry("NAME/1.0.0/features.json", "columns", "jobs", YES),
            Entry("NAME/1.0.0/metadata.json", "labels, preprocessing, source", "jobs", PATHS),
        )
    },
)
EXPORTED = Folder(
    "exported",
    "An export to another program",
    "`remedis export MODEL --to=frozen --out=DIR` writes these files into DIR. [Other formats]"
    "(../how-to/export.md) are one file with `FILE.export.json` beside it, or a folder with "
    "`export.json` inside.",
    {
        "": (
            Entry(
                "export.json",
                "differences from the source, and what is inside: [its fields](records.md#export)",
                YOU,
                YES,
            ),
            *(
                entry
                for entry in EXPORT.entries
                if entry.path not in ("seen.json", "run.json", "reference.npz", "projection.npz")
            ),
        )
    },
)
FOLDERS = (
    RUN,
    EXPORT,
    PRETRAINING,
    EVALUATION,
    STUDY,
    SUITE,
    ROBUSTNESS,
    STORE,
    EMBEDDED_ARCHIVE,
    PACKED,
    EXPORTED,
)
