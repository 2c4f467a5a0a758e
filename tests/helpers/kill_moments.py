"""Runs a command to its end, and then several times more, killed at one moment each and run again.

    python kill_moments.py PLAN.json

Every run has a folder of its own, where `{folder}` stands in the arguments; its temporary files are
in there, too. Prints one JSON line per run. TensorFlow is imported once and each run is forked,
which is sound as long as nothing has been computed before.
"""

import contextlib
import importlib
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import time
import traceback

from remedis import cli


def live(plan: dict, folder: pathlib.Path, seconds: float) -> int:
    """Runs the command in a process group; returns the status, negative for a signal's number."""
    child = os.fork()
    if not child:
        os.setsid()
        status = 70  # an error of the program
        try:
            log = os.open(
                folder.parent / f"{folder.name}.log", os.O_CREAT | os.O_APPEND | os.O_RDWR
            )
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
            exec(plan.get("before", ""), {})
            status = cli.main([part.format(folder=folder) for part in plan["arguments"]])
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def names(folder: pathlib.Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def main() -> None:
    plan = json.loads(pathlib.Path(sys.argv[1]).read_text())
    root, wanted = pathlib.Path(plan["root"]), plan["moments"]
    for module in ("tensorflow", *plan.get("modules", ())):
        importlib.import_module(module)
    draw = random.Random(plan["seed"])
    alone = root / "alone"
    alone.mkdir(parents=True)
    start = time.monotonic()
    status = live(plan, alone, 600)
    duration = time.monotonic() - start
    print(json.dumps({"folder": str(alone), "ended": [status], "names": names(alone)}), flush=True)
    killed = 0
    for attempt in range(3 * wanted):
        if killed == wanted:
            break
        folder = root / f"killed-{attempt}"
        folder.mkdir()
        # Spread over the run: one moment in each part of it.
        moment = duration * (killed + draw.random()) / wanted
        start = time.monotonic()
        first = live(plan, folder, moment)
        if first != -signal.SIGKILL:  # the machine is faster now
            duration = min(duration, time.monotonic() - start)
        at_kill = names(folder)
        ended = [first]
        if first == -signal.SIGKILL:
            killed += 1
            ended.append(live(plan, folder, 600))
        life = {
            "folder": str(folder),
            "moment": round(moment, 2),
            "ended": ended,
            "at_kill": at_kill,
            "names": names(folder),
        }
        print(json.dumps(life), flush=True)


if __name__ == "__main__":
    main()
