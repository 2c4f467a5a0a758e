"""Fine-tunes a checkpoint as a config says; installed, the command is `remedis finetune`.

python finetune/finetune.py --config=configs/chexpert.py:rehearsal --workdir=runs/rehearsal
"""

import sys

from remedis.cli.finetune_job import main

if __name__ == "__main__":
    sys.exit(main())
