"""Compares checkpoints on many data sets, each a label-budget study.

python finetune/suite.py --config=configs/suite_remedis.py:rehearsal --workdir=runs/suite-rehearsal

Installed, the command is `remedis suite`.
"""

import sys

from remedis.cli.suite_job import main

if __name__ == "__main__":
    sys.exit(main())
