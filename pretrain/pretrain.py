"""Pretrains a backbone on unlabelled images; installed, the command is `remedis pretrain`.

python pretrain/pretrain.py --config=configs/pretrain_cxr.py:rehearsal --workdir=runs/pretrain
"""

import sys

from remedis.cli.pretrain_job import main

if __name__ == "__main__":
    sys.exit(main())
