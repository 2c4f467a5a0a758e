"""Pretrains a backbone on unlabelled images as a config says; see the configs for commands.

python pretrain/pretrain.py --config=configs/pretrain_cxr.py:rehearsal --workdir=runs/pretrain

With config.distribution=multi_worker, start it in every worker, TF_CONFIG set. A worker that is
lost is started again, by whoever started it; the others wait for it and all go on from the last
checkpoint.
"""

import pathlib
import sys

from absl import flags

from remedis.cli import jobs

# Configs import what they share as `configs.common` and its like, wherever this is started from.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

_CONFIG = jobs.define_config()
_WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.", required=True)


def main() -> None:
    """Runs the job and shows what came out."""
    # TensorFlow takes seconds to load; a wrong flag should not.
    from remedis.pretraining.pretrain import pretrain
    from remedis.reporting import pretraining_report

    jobs.train(pretrain, pretraining_report.report, _CONFIG.value, _WORKDIR.value)


if __name__ == "__main__":
    jobs.run(main)
