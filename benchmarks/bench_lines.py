"""What `bench.py` compares: works, contenders and goals."""

import dataclasses
import pathlib
import sys

from bench_ours import EXPORTS, HUB
from turns import Contender

HERE = pathlib.Path(__file__).parent
OURS, EAGER, COMPILED = "remedis", "timm", "timm compiled"
ATTAINABLE = "matrix product"
RESTARTED = ("start", "memory")  # works that are measured from the start of their process


@dataclasses.dataclass(frozen=True)
class Goal:
    """A ratio that is to be reached.

    Attributes:
      ours: names of contenders, of which the one with the least median counts.
      peers: likewise; none for a bound on our own seconds.
      least: the smallest ratio, or the largest number of seconds if there are no peers.
    """

    ours: tuple[str, ...]
    peers: tuple[str, ...]
    least: float


@dataclasses.dataclass(frozen=True)
class Line:
    """Contenders of one work.

    Attributes:
      name: of the work.
      unit: what is counted.
      contenders: who works.
      goals: that are judged.
      of: the attribute of `turns.Turn` that is compared.
      rounds: at most; 0 for as many as the others. Memory hardly changes, and takes long.
    """

    name: str
    unit: str
    contenders: tuple[Contender, ...]
    goals: tuple[Goal, ...]
    of: str = "seconds"
    rounds: int = 0


@dataclasses.dataclass(frozen=True)
class Programs:
    """Commands of both sides.

    Attributes:
      folder: of the model, its exports and images.
      peer_python: interpreter of the peers' environment; empty if there is none.
      quick: whether the network is tiny.
    """

    folder: pathlib.Path
    peer_python: str
    quick: bool

    def ours(self, work: str, *options: str, folder: str = "", name: str = OURS) -> Contender:
        """Returns a contender of this environment."""
        where = str(self.folder / folder)
        command = (sys.executable, str(HERE / "bench_ours.py"), work, where, *options)
        small = ("--architecture=1-1-1-1x0.5",) if self.quick else ()
        return Contender(name, command + small, restarted=work.startswith(RESTARTED))

    def peers(
        self, work: str, *options: str, folder: str = "", name: str = EAGER
    ) -> list[Contender]:
        """Returns a contender of the peers' environment; none without it."""
        if not self.peer_python:
            return []
        where = str(self.folder / folder)
        command = (self.peer_python, str(HERE / "bench_peers.py"), work, where, *options)
        return [Contender(name, command, restarted=work.startswith(RESTARTED))]

    def command(self, name: str, *arguments: str) -> Contender:
        """Returns a command of this project, which is restarted in every turn."""
        return Contender(name, (sys.executable, "-m", "remedis.cli", *arguments), restarted=True)


def lines(programs: Programs) -> list[Line]:
    """Returns all lines."""
    return [
        *(_inference(programs, *size) for size in ((224, 8), (224, 1), (448, 2))),
        *_training(programs),
        *_pipelines(programs),
        _start(programs),
        _commands(programs),
        *_paired(programs),
        _memory(programs),
    ]


def _inference(programs: Programs, size: int, batch: int) -> Line:
    options = (f"--size={32 if programs.quick else size}", f"--batch={batch}")
    contenders = [programs.ours(name, *options, name=name) for name in (HUB, *EXPORTS)]
    contenders += programs.peers("network", *options)
    contenders += programs.peers("network:compiled", *options, name=COMPILED)
    goals = [Goal(EXPORTS, (COMPILED,), 1.05 if size == 448 else 1.0)]
    if (size, batch) == (224, 8):
        contenders.append(programs.ours("attainable", *options, name=ATTAINABLE))
        goals += [Goal((HUB,), (EAGER,), 1.0), Goal(EXPORTS, (ATTAINABLE,), 0.95)]
    return Line(f"{size} px, batch {batch}", "image", tuple(contenders), tuple(goals))


def _training(programs: Programs) -> list[Line]:
    small = ["--size=32", "--batch=2"]
    step = small if programs.quick else ["--size=224", "--batch=8"]
    views = small if programs.quick else ["--size=224", "--batch=16"]
    return [
        Line(
            "training step, 224 px, batch 8",
            "image",
            (
                programs.ours("training", *step),
                *programs.peers("training", *step),
                *programs.peers("training:compiled", *step, name=COMPILED),
            ),
            (Goal((OURS,), (COMPILED,), 1.05), Goal((OURS,), (EAGER,), 1.0)),
        ),
        Line(
            "SimCLR step, 224 px, 16 images of two views",
            "image",
            (programs.ours("simclr", *views), *programs.peers("simclr", *views, name="lightly")),
            (Goal((OURS,), ("lightly",), 1.2),),
        ),
    ]


def _pipelines(programs: Programs) -> list[Line]:
    found = []
    for recipe, name, files, least in (
        ("evaluation", "evaluation", "1024-png", 1.0),
        ("evaluation", "evaluation", "1024-jpeg", 1.0),
        ("evaluation", "evaluation", "224-jpeg", 1.0),
        ("contrastive_cxr", "two views", "1024-jpeg", 2.7),
    ):
        work, folder = f"pipeline:{recipe}", f"images/{files}"
        peers = programs.peers(work, "--batch=16", folder=folder, name="torchvision")
        found.append(
            Line(
                f"pipeline, {name}, {files}",
                "image",
                (programs.ours(work, folder=folder), *peers),
                (Goal((OURS,), ("torchvision",), least),),
            )
        )
    return found


def _start(programs: Programs) -> Line:
    engines = (HUB, *EXPORTS)
    contenders = [programs.ours(f"start:{name}", name=name) for name in engines]
    # At most 1.5 times as long as the peer.
    goals = (Goal(engines, (EAGER,), 1 / 1.5),)
    return Line(
        "process to first embedding", "process", (*contenders, *programs.peers("start")), goals
    )


def _commands(programs: Programs) -> Line:
    contenders = (
        programs.command("--help", "--help"),
        programs.command("predict --help", "predict", "--help"),
        programs.command("a wrong path", "predict", "nowhere", "nowhere"),
    )
    goals = tuple(Goal((contender.name,), (), 0.3) for contender in contenders)
    return Line("commands that do not compute", "command", contenders, goals)


def _memory(programs: Programs) -> Line:
    deep = ("--architecture=152x2", "--size=448", "--batch=2")
    small = ("--size=32", "--batch=2")
    options = small if programs.quick else deep
    contenders = (programs.ours("memory", *options), *programs.peers("memory", *options))
    goals = (Goal((OURS,), (EAGER,), 1.0),)
    name = "memory of a checkpointed step, 152x2, 448 px, batch 2"
    return Line(name, "process", contenders, goals, of="gigabytes", rounds=2)


def _paired(programs: Programs) -> list[Line]:
    """Returns works that are compared with others in the same environment."""
    options = ("--size=32",) if programs.quick else ("--size=224", "--batch=32")
    return [
        Line(
            name,
            unit,
            (
                programs.ours(work, *options),
                programs.ours(f"{work}:peer", *options, name=peer),
            ),
            (Goal((OURS,), (peer,), least),),
        )
        for name, unit, work, peer, least in (
            ("embedding of a folder, 224-jpeg", "image", "embedding", "the network alone", 0.95),
            ("scan of a folder, 224-jpeg", "image", "scanning", "loop of Pillow", 1.0),
            ("linear probe, 1,000 x 2,048", "probe", "probe", "scikit-learn", 5.0),
            ("bootstrap of all metrics", "resample", "bootstrap", "loop of scikit-learn", 100.0),
        )
    ]
