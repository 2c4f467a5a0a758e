"""How many labelled patients of another hospital does a checkpoint need? See the configs ood_*.

python finetune/ood_curves.py --config=configs/ood_cxr.py:rehearsal --workdir=runs/ood-rehearsal

Killed at any moment, the same command goes on where it was. `--list` says what is finished and how
long the rest may take. Several processes, or machines that see one directory, share the work by
`--shard=1/4`, `--shard=2/4`, ...; when they are done, the command without it merges.
"""

import pathlib
import sys

from absl import flags

from remedis.cli import jobs

# Configs import what they share as `configs.common` and its like, wherever this is started from.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

_CONFIG = jobs.define_config()
_WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the study.", required=True)
_SHARD = flags.DEFINE_string("shard", None, "Part of the cells to see to, such as 1/4.")
_LIST = flags.DEFINE_bool("list", False, "Say what would run, and run nothing.")


def main() -> None:
    """Runs the job and says where the report is."""
    # TensorFlow takes seconds to load; a wrong flag should not.
    from remedis import label_budget
    from remedis.label_budget.settings import Shard
    from remedis.reporting import ood_report
    from remedis.training.determinism import prepare_process

    shard = None if _SHARD.value is None else Shard.parse(_SHARD.value)
    if _LIST.value:
        print(label_budget.list_cells(_CONFIG.value, _WORKDIR.value, shard))
        return
    prepare_process()
    if label_budget.run(_CONFIG.value, _WORKDIR.value, shard):
        print(f"Report: {ood_report.write(_WORKDIR.value)}")


if __name__ == "__main__":
    jobs.run(main)
