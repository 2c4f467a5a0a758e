"""Runs fine-tuning with one process and with two on the loopback interface.

    python workers.py CONFIG.json ALONE_DIR TOGETHER_DIR PORT

TensorFlow is imported once and the processes forked from there, which is sound as long as nothing
has been computed before. Prints the exit status of each.
"""

import json
import os
import pathlib
import sys

import ml_collections

from remedis.training import finetune
from remedis.training.repeatable import make_process_repeatable


def started(config: ml_collections.ConfigDict, workdir: str, worker: int, ports: list[int]) -> int:
    """Forks a process that fine-tunes; returns its number."""
    child = os.fork()
    if child:
        return child
    os.dup2(2, 1)  # what a run prints is not for the one who reads this
    if ports:
        config.distribution = "multi_worker"
        addresses = [f"127.0.0.1:{port}" for port in ports]
        task = {"type": "worker", "index": worker}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
    make_process_repeatable()
    finetune.finetune(config, workdir)
    os._exit(0)


def main() -> None:
    config = ml_collections.ConfigDict(json.loads(pathlib.Path(sys.argv[1]).read_text()))
    port = int(sys.argv[4])
    processes = [started(config, sys.argv[2], 0, [])]
    processes += [started(config, sys.argv[3], i, [port, port + 1]) for i in range(2)]
    print(json.dumps([os.waitpid(process, 0)[1] for process in processes]))


if __name__ == "__main__":
    main()
