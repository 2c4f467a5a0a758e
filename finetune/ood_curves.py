"""Measures how many labelled patients of another hospital a checkpoint needs.

python finetune/ood_curves.py --config=configs/ood_cxr.py:rehearsal --workdir=runs/ood-rehearsal

Installed, the command is `remedis ood-curves`.
"""

import sys

from remedis.cli.ood_curves_job import main

if __name__ == "__main__":
    sys.exit(main())
