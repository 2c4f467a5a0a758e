"""Builds checkpoint folders that `hub.load` takes; installed, the command is `remedis build`.

python saved_models/build.py --model=cxr-50x1-remedis-m --weights=bit:BiT-M-R50x1.npz
python saved_models/build.py --model=cxr-50x1-remedis-m --weights=release:DOWNLOADED_FOLDER
python saved_models/build.py --model=cxr-50x1-remedis-m --weights=runs/pretraining
python saved_models/build.py --all --weights=random:0     # for rehearsal; the record says so
"""

import sys

from remedis.cli.build_job import main

if __name__ == "__main__":
    sys.exit(main())
