"""Runs the commands and statements that a document shows, in order, in one process.

    python tests/helpers/run_document.py DOCUMENT FOLDER

The folder is made: it has the scripts of the checkout, and what `document_data` makes in the places
that the document names. Trainings are shortened by further options, and large networks replaced by
a tiny one. `build` is not run: `document_data` makes its folder. Nor is `serve`, which does not
end. Everything else is run as it is written. The process ends at the first failure, with status 1
and the place in the document.
"""

import importlib
import os
import pathlib
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import document_commands
import ml_collections
from document_commands import ROOT, Block

from remedis.cli import tensorflow_start

tensorflow_start.hush()  # before TensorFlow is imported

import document_data  # noqa: E402

# Appended to the options of a job.
_SMALL = ("batch_size=8", "accumulate=1", "steps=2", "epochs=0", "examples=0", "warmup_epochs=0")
SHORT = {
    "finetune": ("image_size=32", "resamples=40", *_SMALL),
    "pretrain": ("image_size=32", *_SMALL),
    "ood-curves": (
        *("image_size=32", "budgets=0, 50%", "seeds=2", "id_trainings=1", "resamples=40"),
        "select=learning_rate=1",
        *(f"{side}.{key}" for side in ("id", "ood") for key in _SMALL),
    ),
    "suite": ("modes=('probe',)", "budgets=0, 50%", "seeds=2", "id_trainings=1", "resamples=40"),
}
# Keys that state the length of a training; one of them may be set.
_LENGTH = re.compile(r"--config\.(?:id\.|ood\.)?(?:steps|epochs|examples|warmup|warmup_epochs)=")
# A study has the labels of both sides once.
_ABOUT_DATA = re.compile(
    r"^(?:sets\.\w+\.)?(?:labels|(?:id\.|ood\.)?(?:source_options|splits\.\w+|stratify))$"
)
_NETWORK = re.compile(r"\bscratch:[\w.-]+")
_DATA = re.compile(r"(?<![\w/.])/data(?=/)")


def main() -> int:
    """Runs a document; see the docstring of this file."""
    document, world = sys.argv[1], pathlib.Path(sys.argv[2])
    _furnish(world)
    os.chdir(world)
    sys.path.append(str(ROOT))  # for `configs`
    names: dict[str, object] = {"__name__": "__main__"}
    for block in document_commands.blocks(document):
        document_data.make(block.text, world)
        print(f"===== {document}, line {block.line}", flush=True)
        try:
            run(block, world, names)
        except BaseException as error:
            traceback.print_exc()
            print(f"FAILED {document}, line {block.line}: {type(error).__name__}: {error}")
            return 1
    return 0


def run(block: Block, world: pathlib.Path, names: dict[str, object]) -> None:
    """Runs a block of a document; `names` are those that its statements define and use."""
    if block.language == "python":
        text = _DATA.sub(f"{world}/data", block.text)
        exec(compile(text, f"line {block.line}", "exec"), names)
        return
    for words in document_commands.commands(block):
        print("$", *words, flush=True)
        run_command([_DATA.sub(f"{world}/data", word) for word in words])


def run_command(written: Sequence[str]) -> None:
    """Runs one command, if it is of this project.

    Raises:
      AssertionError: it ends with another status than 0.
    """
    from remedis.cli import UNWELL
    from remedis.cli import main as remedis

    words = document_commands.ours(written)
    if words is None:
        print("(not a command of this project)")
        return
    if words[0] == "serve":
        print("(a server, which tests/serving asks)")
        return
    if words[0] in SHORT:
        words = shortened(words)
    if words[0] == "build":
        folder = pathlib.Path("saved_models") / _option(words, "--model")
        document_data.make(os.fspath(folder), pathlib.Path.cwd())
        assert folder.is_dir(), "documents build what `document_data` makes"
        return
    status = remedis(words)
    # Findings on made-up data are no failure, nor is a table that is shown and not written.
    shown = not any(word.startswith(("--out", "--croissant")) for word in words)
    accepted = {"doctor": {0, UNWELL}, "manifest": {1 if shown else 0}}.get(words[0], {0})
    assert status in accepted, f"status {status}"


def shortened(words: Sequence[str]) -> list[str]:
    """Returns the words of a job's command with options that make it short."""
    options = [f"--config.{option}" for option in SHORT[words[0]]]
    keys = tuple(option.partition("=")[0] + "=" for option in options)
    kept = [word for word in words if not word.startswith(keys) and not _LENGTH.match(word)]
    # A published name names an architecture.
    kept = [word for word in kept if not word.startswith("--config.name=")]
    kept = [_NETWORK.sub(f"scratch:{document_data.TINY}", word) for word in kept]
    if words[0] == "suite":
        options += _of_sets(kept)
    return [*kept, *of_rehearsal(kept), *options]


def _of_sets(words: Sequence[str]) -> list[str]:
    """Returns the options that make the sets of a suite small; of the paper's, one set is run."""
    name, _, argument = _option(words, "--config").partition(":")
    module = importlib.import_module(f"configs.{pathlib.Path(name).stem}")
    sets = module.get_config(argument or None).sets
    options = [f"--config.sets.{name}.image_size=32" for name in sets]
    return [*options, "--config.only=skin"] if argument and "skin" in sets else options


def of_rehearsal(words: Sequence[str]) -> list[str]:
    """Returns options for what made-up data lack, unless the words of a job's command have them.

    They do not show all labels, and their slides are small: the rehearsal of the config knows.
    """
    name, _, argument = _option(words, "--config").partition(":")
    module = importlib.import_module(f"configs.{pathlib.Path(name).stem}")
    usual = _flat(module.get_config(argument or None))
    made_up = _flat(module.get_config(f"{argument},rehearsal" if argument else "rehearsal"))
    return [
        f"--config.{key}={value}"
        for key, value in made_up.items()
        if _ABOUT_DATA.search(key) and value != usual.get(key)
        if not any(word.startswith(f"--config.{key}=") for word in words)
    ]


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """Returns the values of a config by their keys with dots."""
    values: dict[str, object] = {}
    for key, value in config.items():
        if isinstance(value, Mapping | ml_collections.ConfigDict):
            values |= _flat(value, f"{prefix}{key}.")
        else:
            values[f"{prefix}{key}"] = value
    return values


def _option(words: Sequence[str], name: str) -> str:
    [value] = [word.partition("=")[2] for word in words if word.startswith(f"{name}=")]
    return value


def _furnish(world: pathlib.Path) -> None:
    """Makes the working directory, with the scripts and configs of the checkout."""
    world.mkdir(parents=True)
    for name in ("configs", "finetune", "pretrain", "docs"):
        (world / name).symlink_to(ROOT / name)
    (world / "saved_models").mkdir()
    (world / "saved_models" / "build.py").symlink_to(ROOT / "saved_models" / "build.py")


if __name__ == "__main__":
    sys.exit(main())
