"""Builds checkpoint folders for `hub.load`.

python saved_models/build.py --model=cxr-50x1-remedis-m --weights=bit:BiT-M-R50x1.npz
python saved_models/build.py --model=cxr-50x1-remedis-m --weights=release:DOWNLOADED_FOLDER
python saved_models/build.py --model=cxr-50x1-remedis-m --weights=runs/pretraining
python saved_models/build.py --all --weights=random:0     # for rehearsals; the folder says so
"""

import shlex
import sys
import time

from absl import flags

from remedis.cli import jobs
from remedis.errors import UserError
from remedis.zoo import builder, checkpoint, names

_MODEL = flags.DEFINE_multi_string("model", [], "Checkpoint to build; repeatable.")
_ALL = flags.DEFINE_bool("all", False, "Build all eight checkpoints.")
_WEIGHTS = flags.DEFINE_string(
    "weights",
    None,
    "bit:FILE.npz, release:DIR, random:SEED, or the folder of a run or of a checkpoint.",
    required=True,
)
_OUT = flags.DEFINE_string("out", "saved_models", "Folder to write the checkpoint folders to.")
_GRAPH = flags.DEFINE_enum(
    "graph", "ours", ["ours", "release"], "The graph to write, with release:DIR."
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace folders that exist.")


def main() -> None:
    """Builds the checkpoints that the flags name."""
    if _ALL.value == bool(_MODEL.value):
        raise UserError("Say either --model=NAME (repeatable) or --all.")
    chosen = names.NAMES if _ALL.value else _MODEL.value
    for name in chosen:
        names.parse(name)  # refuses a wrong name before the first build
    for name in chosen:
        start = time.monotonic()
        folder = builder.build(
            name,
            _WEIGHTS.value,
            _OUT.value,
            command=shlex.join(sys.argv),
            keep_graph=_GRAPH.value == "release",
            overwrite=_OVERWRITE.value,
        )
        seconds = time.monotonic() - start
        description = checkpoint.describe(folder)
        assert description is not None
        print(f"{folder}: {description.provenance.description} ({seconds:.0f} s)", flush=True)


if __name__ == "__main__":
    jobs.run(main)
