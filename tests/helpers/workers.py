"""Runs a job in one process, and in two on the loopback interface.

    python workers.py finetune|pretrain CONFIG.json ALONE_DIR TOGETHER_DIR PORT

TensorFlow is imported once and the processes are forked, which is sound as long as nothing has been
computed before. Prints the exit status of each.
"""

import json
import os
import pathlib
import sys

import ml_collections

from remedis.cli import console
from remedis.finetuning.finetune import finetune
from remedis.pretraining.pretrain import pretrain
from remedis.training.determinism import prepare_process

JOBS = {"finetune": finetune, "pretrain": pretrain}


def start(config: ml_collections.ConfigDict, workdir: str, worker: int, ports: list[int]) -> int:
    """Forks a process that runs the job; returns its process id."""
    child = os.fork()
    if child:
        return child
    os.dup2(2, 1)  # standard output is for the lines of this program
    if ports:
        config.distribution = "multi_worker"
        addresses = [f"127.0.0.1:{port}" for port in ports]
        task = {"type": "worker", "index": worker}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
    prepare_process()
    with console.shown():
        JOBS[sys.argv[1]](config, workdir)
    os._exit(0)


def main() -> None:
    _, _, file, alone, together, first = sys.argv
    config = ml_collections.ConfigDict(json.loads(pathlib.Path(file).read_text()))
    port = int(first)
    processes = [start(config, alone, 0, [])]
    processes += [start(config, together, i, [port, port + 1]) for i in range(2)]
    print(json.dumps([os.waitpid(process, 0)[1] for process in processes]))


if __name__ == "__main__":
    main()
