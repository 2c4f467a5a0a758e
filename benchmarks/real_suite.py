"""One suite of three real pairs of data sets and two made-up ones: which checkpoint for which data?

    python benchmarks/real_suite.py --kermany=DIR --nih64=DIR --wbc=DIR --workdir=runs/real-suite \
        --arms='cells=runs/cells/simclr-0/export; chest=runs/transfer/simclr/export' \
        --out=docs/results.md [--shard=1/2] [--merge]

The real pairs are children to adults (`benchmarks/transfer.py`) and white blood cells of two
laboratories in both directions (`benchmarks/white_blood_cells.py`, whose folders `--wbc` names).
Every arm is judged by probes on all of them; `remedis suite` adds random weights and thumbnails. A
suite that was killed resumes; processes with shards share it.

This file is also the config of the suite: `--config=benchmarks/real_suite.py:DIR`, where DIR is the
directory that holds the prepared data.
"""

import pathlib
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import ml_collections

ROOT = pathlib.Path(__file__).resolve().parents[1]
# The benchmarks import each other by name, the configs as `configs.NAME`.
sys.path += [str(ROOT / "benchmarks"), str(ROOT)]

import results  # noqa: E402
import transfer  # noqa: E402
import white_blood_cells_runs as white_blood_cells  # noqa: E402

from configs import common_suite, ood_dermatology, ood_own  # noqa: E402

SUITE = "suite"  # the suite's directory within the work directory
BUDGETS, SEEDS = "0, 33%, 100%", 10
FIGURE = "real-suite.svg"


def get_config(arg: str | None = None) -> ml_collections.ConfigDict:
    """Returns the config of the suite; `arg` is the directory of the prepared data."""
    data = pathlib.Path(arg or ".")
    sets = {
        "chest": _study(_chest(data)),
        **{
            f"cells_{inside}_to_{outside}": _study(_cells(data, inside, outside))
            for inside, outside in white_blood_cells.DIRECTIONS
        },
        "made_up_chest": ood_own.get_config("rehearsal"),
        "made_up_skin": ood_dermatology.get_config("rehearsal"),
    }
    config = common_suite.suite(sets)
    config.title = "Which checkpoint for radiographs, blood cells and made-up images?"
    config.modes = ("probe",)
    config.budgets, config.seeds = BUDGETS, SEEDS
    config.select = transfer.RATES
    return config.lock()


def _study(values: Mapping[str, Any]) -> ml_collections.ConfigDict:
    config = ood_own.get_config().unlock()
    own = {key: value for key, value in values.items() if key not in common_suite.SHARED}
    config.update_from_flattened_dict(own)
    return config


def _chest(data: pathlib.Path) -> dict[str, Any]:
    return {
        "id_data_dir": str(data / "chest" / "id"),
        "ood_data_dir": str(data / "chest" / "ood"),
        "id_name": "kermany",
        "ood_name": "nih64",
        "labels": (transfer.LABEL,),
        "image_size": 64,
        "caveats": transfer.CAVEATS[:2],
        "ood.splits.train": 0.4,
        "ood.splits.validation": 0.1,
        "ood.splits.test": 0.5,
    }


def _cells(data: pathlib.Path, inside: str, outside: str) -> dict[str, Any]:
    run = white_blood_cells.StudyRun("suite", inside, outside, 0, ("scratch",))
    values = run.values(data)
    for key, laboratory in (("id_data_dir", inside), ("ood_data_dir", outside)):
        values[key] = str(data / "cells" / laboratory)
    return values


def command(workdir: pathlib.Path, arms: str, baseline: str, options: list[str]) -> list[str]:
    """Returns the command line of the suite."""
    return [
        "finetune/suite.py",
        f"--config=benchmarks/real_suite.py:{workdir / 'data'}",
        f"--config.arms={arms}",
        f"--config.baseline={baseline}",
        f"--workdir={workdir / SUITE}",
        *options,
    ]


def section(workdir: pathlib.Path, shown: str) -> str:
    """Returns the section of the document: the leaderboard of a finished suite."""
    board = (workdir / SUITE / "leaderboard.md").read_text(encoding="utf-8")
    body = re.sub(r"\[([^\]]*)\]\(sets/[^)]*\)", r"\1", board)  # reports are not in the repository
    body = re.sub(r"^(#+) ", r"#\1 ", body.partition("\n")[2], flags=re.MULTILINE)
    return "\n".join(
        [
            "## One suite: radiographs, blood cells and made-up images",
            "",
            "Written by `python benchmarks/real_suite.py --kermany=DIR --nih64=DIR --wbc=DIR "
            "--workdir=DIR --arms=ARMS --out=docs/results.md`.",
            "",
            f"![Metric of every arm in every set with all labelled patients]({FIGURE})",
            body.rstrip(),
            "",
            "```sh",
            shown,
            "```",
        ]
    )


def without_folders(shown: str) -> str:
    """Returns a command whose checkpoints are named by the run that made them, in `DIR`."""
    return re.sub(r"=/[^;']*/([^/;']+/export)", r"=DIR/\1", shown)


def main() -> None:
    """Prepares the data, runs the suite or a shard of it, and writes section and figure."""
    parser = transfer.arguments(__doc__)
    parser.add_argument("--wbc", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--arms", default="random=scratch:50x0.5; shallow=scratch:1-1-1-1x0.5")
    parser.add_argument("--baseline", default="random", help="arm of the studies' own reports")
    parser.add_argument("--shard", help="share of the cells to compute, such as 1/2")
    parser.add_argument("--merge", action="store_true", help="merge what is finished")
    parsed = parser.parse_args()
    workdir = parsed.workdir.resolve()
    transfer.write_manifests(parsed.kermany, parsed.nih64, workdir / "data" / "chest")
    white_blood_cells.write_manifests(parsed.wbc, workdir / "data" / "cells")
    options = [f"--shard={parsed.shard}"] if parsed.shard else []
    options += ["--merge"] if parsed.merge else []
    job = command(workdir, parsed.arms, parsed.baseline, options)
    process = subprocess.run([sys.executable, *job], cwd=ROOT, check=False)
    if process.returncode:
        raise SystemExit(process.returncode)
    if parsed.shard:
        return
    shown = without_folders(shlex.join(["python", *job]).replace(str(workdir), "DIR"))
    text = section(workdir, shown)
    if parsed.out is None:
        print(text)
        return
    figure = (workdir / SUITE / "leaderboard.svg").read_text(encoding="utf-8")
    (parsed.out.parent / FIGURE).write_text(figure, encoding="utf-8")
    results.write(parsed.out, "real-suite", text)


if __name__ == "__main__":
    main()
