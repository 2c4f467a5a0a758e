"""Pages on data sources, made of their datasheets: the docstrings of `remedis/data/sources/`."""

import collections.abc
import inspect
import typing
from typing import Any

from docs.generate import docstrings, experiment_configs, markdown
from remedis.data import sources

# Headings of datasheets in the order of a page, and the titles of their sections.
SECTIONS = {
    "Get it": "How to get it",
    "Terms": "Terms",
    "Layout": "Layout on disk",
    "Check it": "Check it",
    "Input": "What is read",
    "Files": "Tables",
    "Form": "Form of the table",
    "Labels": "Labels",
    "Boxes": "Boxes",
    "Views": "Views",
    "Splits": "Splits",
    "Counts": "Published counts",
    "Metadata": "Patients and other metadata",
    "Privacy": "Privacy",
    "Citation": "Citation",
}
# Those that a datasheet may lack.
OPTIONAL = ("Files", "Form", "Boxes", "Views", "Counts", "Privacy")
# Sources of a user's own data. They have neither terms nor a citation of ours.
OWN = ("csv", "folder", "dicom", "slides", "tfds")
# Question of the index: what the user has, and the source that reads it.
CHOICE = (
    ("a table with one row per image, in any spelling", "csv"),
    ("images in folders named after their class", "folder"),
    ("DICOM files, and a table of labels", "dicom"),
    ("whole slides, with or without outlines of tumour", "slides"),
    ("a data set that TFDS or `remedis prepare` has written", "tfds"),
    ("CheXpert, full size, small or in batches", "chexpert"),
    ("ChestX-ray14 of the NIH", "chestxray14"),
    ("MIMIC-CXR-JPG", "mimic_cxr"),
    ("PadChest", "padchest"),
    ("RSNA's pneumonia challenge, DICOM files and tables", "rsna_pneumonia"),
    ("SIIM-ACR's pneumothorax challenge, DICOM files and a table", "siim_pneumothorax"),
    ("VinDr-CXR, of PhysioNet or Kaggle", "vindr_cxr"),
    ("a set of MedMNIST, 28 to 224 pixels", "medmnist"),
    ("OpenI of Indiana University, XML files or Kaggle's tables", "openi"),
    ("PatchCamelyon's HDF5 files", "patch_camelyon"),
    ("PatchCamelyon's TIFF files of Kaggle", "pcam_kaggle"),
    ("Camelyon17 as WILDS packs it", "wilds_camelyon17"),
    ("whole slides of Camelyon16", "camelyon16"),
    ("whole slides of Camelyon17", "camelyon17"),
    ("patches of Camelyon16 or 17 in folders, cut by somebody", "camelyon_patches"),
)


def sheet(name: str) -> tuple[str, dict[str, str]]:
    """Returns the first sentence of a source's datasheet, and the text of each heading."""
    module = inspect.getmodule(sources.loader(name))
    assert module is not None
    return checked_sheet(module.__doc__ or "", f"{module.__name__.replace('.', '/')}.py")


def checked_sheet(docstring: str, place: str) -> tuple[str, dict[str, str]]:
    """Returns the first sentence of a datasheet, and the text of each heading.

    Raises:
      ValueError: a heading is missing, or one is not known.
    """
    summary, found = docstrings.datasheet(docstring)
    if both := found.pop("Citation and terms", ""):
        found["Citation"] = found["Terms"] = both
    if missing := [one for one in SECTIONS if one not in OPTIONAL and not found.get(one)]:
        raise ValueError(
            f"The docstring of {place} lacks the heading {missing[0]!r}; write it there, as a line "
            f"'{missing[0]}: ...'."
        )
    if unknown := set(found) - set(SECTIONS):
        raise ValueError(
            f"The docstring of {place} has the heading {sorted(unknown)[0]!r}, which "
            "docs/generate/source_pages.py does not know; add it to SECTIONS there."
        )
    return summary, found


def pages() -> dict[str, str | bytes]:
    """Returns the index of the sources and a page per source."""
    experiments = experiments_by_source()
    made: dict[str, str | bytes] = {
        f"data/{name}.md": page(name, experiments.get(name, [])) for name in sources.NAMES
    }
    return {"data/index.md": index(), **made}


def page(name: str, experiments: list[str]) -> str:
    """Returns the page of a source.

    Args:
      name: of the source.
      experiments: configs that use it, such as `chexpert` or `ood_path:camelyon16-17`.
    """
    summary, found = sheet(name)
    parts = [f"# {name}", summary]
    for heading, title in SECTIONS.items():
        if heading not in found or (name in OWN and heading in ("Terms", "Citation")):
            continue
        if heading == "Citation":
            parts.append(_options(name))
        title = "How to make it" if name in OWN and heading == "Get it" else title
        text = markdown.prose(found[heading])
        is_fence = heading in ("Layout", "Check it")
        parts += [f"## {title}", text if is_fence else markdown.with_links(text)]
        if heading == "Check it":
            parts += [CHECK, _use(name, experiments)]
    if name in OWN:
        parts.append(_options(name))
    return "\n\n".join(part.strip() for part in parts) + "\n"


CHECK = (
    "The command reads the data as training would, and lists what is wrong with them; "
    "[Commands](../reference/commands.md#doctor) has its options and exit statuses."
)


def _options(name: str) -> str:
    """Returns the options of a source, from the signature and the docstring of its function."""
    meanings = docstrings.arguments(sources.loader(name))
    signature = inspect.signature(sources.loader(name)).parameters
    options = sources.options_of(name)
    if not options:
        return f"## Options\n\nThe source `{name}` has no options."
    for option in ("labels", *options):
        if option not in meanings:
            module = sources.loader(name).__module__.replace(".", "/")
            raise ValueError(
                f"The option {option!r} of the source {name!r} has no meaning; write it under "
                f"'Args:' in the docstring of load in {module}.py."
            )
    types = typing.get_type_hints(sources.loader(name))
    rows = [
        (
            f"`{option}`",
            _type(types[option]),
            _default(signature[option].default),
            meanings[option],
        )
        for option in options
    ]
    first = options[0]
    return "\n\n".join(
        [
            "## Options",
            f"Labels (`--labels`, `config.labels`): {meanings['labels']}",
            "A config sets options as `--config.source_options='KEY=VALUE; KEY=VALUE'`, a command "
            f"as `--option KEY=VALUE`, Python by name: `load_manifest(..., {first}=...)`.",
            markdown.table(("option", "type", "default", "meaning"), rows),
        ]
    )


TYPES = {bool: "True or False", int: "whole number", float: "number", str: "text"}


def _type(kind: Any) -> str:
    """Returns the name of an option's type: a plain one, a sequence, or one that may be None."""
    inner = [one for one in typing.get_args(kind) if one is not type(None)]
    name = TYPES[inner[0] if inner else kind]
    is_sequence = typing.get_origin(kind) is collections.abc.Sequence
    return "numbers, such as (1, 2)" if is_sequence else name


def _default(value: object) -> str:
    if value is None or value == "":
        return "not set"
    shown = f"{value:.4g}" if isinstance(value, float) else repr(value).replace("'", "")
    return f"`{shown}`"


def _use(name: str, experiments: list[str]) -> str:
    """Returns which configs use a source, and how to rehearse it on made-up data."""
    parts = ["## Use it"]
    if experiments:
        listed = ", ".join(
            f"[`{one}`](../reference/configs/{one.partition(':')[0]}.md)" for one in experiments
        )
        parts.append(f"Configs with this source: {listed}.")
        rehearsals = [f"{one}{',' if ':' in one else ':'}rehearsal" for one in experiments]
        configs = {one: experiment_configs.load(one) for one in rehearsals}
        first = next(
            (one for one in rehearsals if configs[one].get("rehearsal") == name), rehearsals[0]
        )
        command = experiment_configs.kind(configs[first])
        parts.append("A rehearsal on made-up data in the same layout takes minutes on 2 cores:")
        workdir = f"runs/rehearsal-{name.replace('_', '-')}"
        parts.append(
            markdown.fence(f"remedis {command} --config={first} --workdir={workdir}", "sh")
        )
    else:
        parts.append(
            "Any config takes it in place of its own source: "
            f"`--config=own_data --config.source={name}`. The made-up data of "
            "`--config=own_data:rehearsal` have the layout of the source [csv](csv.md)."
        )
    return "\n\n".join(parts)


def experiments_by_source() -> dict[str, list[str]]:
    """Returns the configs that read each source, with the argument that makes them do so."""
    found: dict[str, list[str]] = {}
    for name in experiment_configs.names():
        for experiment, config in experiment_configs.with_each_argument(name):
            if experiment.endswith(":rehearsal"):
                continue
            values = experiment_configs.flat(config)
            for source in {value for key, value in values.items() if key.endswith("source")}:
                listed = found.setdefault(source, [])
                if name not in listed:
                    listed.append(experiment)
    return found


def index() -> str:
    """Returns the page that helps to choose a source.

    Raises:
      ValueError: a source is missing in `CHOICE`.
    """
    if missing := set(sources.NAMES) - {name for _, name in CHOICE}:
        raise ValueError(
            f"The source {sorted(missing)[0]!r} is not in docs/generate/source_pages.py: CHOICE; "
            "add what a user has on disk who needs it."
        )
    rows = [(have, f"[`{name}`]({name}.md)", sheet(name)[0]) for have, name in CHOICE]
    own = [row for row, (_, name) in zip(rows, CHOICE, strict=True) if name in OWN]
    published = [row for row, (_, name) in zip(rows, CHOICE, strict=True) if name not in OWN]
    header = ("what you have on disk", "source", "what the source reads")
    return INDEX.format(
        own=markdown.table(header, own), published=markdown.table(header, published)
    )


INDEX = """# Data sources

A source reads one layout of data and makes one table of it, the manifest: an image per row, with
its patient, its split and its labels. Every command and config takes the data this way: a config
by `config.source` and `config.data_dir`, a command by `--source=NAME` and the directory.

## Which source do I need?

Data of your own:

{own}

Published data, in the layout of their download. Nothing is downloaded by this package: each page
names the owner, the terms and what to cite.

{published}

## The manifest

| column | meaning |
| --- | --- |
| `path` | image, relative to the directory of the data; `FILE#ITEM` for an image in a container |
| `patient_id` | patient; splits and intervals go by it |
| `study_id`, `site`, `split` | study, hospital, and train, validation or test; empty if unknown |
| one per label | 1, 0, -1 for uncertain, empty for unknown |
| `sex`, `age`, `view`, `slide_id`, `mpp` | if the data have them; results also per value |

Images without a split are divided by patient (`config.splits`).

`config.uncertain` and `config.unmentioned` say what uncertain and empty labels count as in
training. In validation and test, uncertain labels are ignored (`config.eval_uncertain`) and images
without any label are left out and counted (`config.eval_unlabelled`); an empty label of an image
that has others counts as in training, unless `config.eval_unmentioned` says otherwise. `evaluate`,
`calibrate` and `probe` inherit these policies from the model's run, or say how theirs differ.
[Configs](../reference/configs.md) has the values of these keys.

## Faster reading

`remedis prepare` decodes and resizes all images once. The result is a data set of the source
[`tfds`](tfds.md):

```sh
remedis prepare /data/mine --labels=pneumonia --preprocess='resize(512)' --out=packed --name=mine
```
"""
