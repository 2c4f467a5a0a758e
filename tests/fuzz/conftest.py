import os
import pathlib
import random
import sys
from collections.abc import Callable

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import harness


@pytest.fixture
def attack(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Returns a function that attacks a target of the test's file, for its share of the time."""
    minutes = float(os.environ.get("REMEDIS_FUZZ_MINUTES", "20"))
    attacks = [i for i in request.session.items if "attack" in getattr(i, "fixturenames", ())]
    number = int(os.environ.get("REMEDIS_FUZZ_SEED", random.randrange(10**9)))

    def run(name: str) -> None:
        counts = harness.attack(
            request.path.stem, name, 60 * minutes / max(1, len(attacks)), number
        )
        print(f"\n{name}, draws of seed {number}: {counts}")
        assert counts["read"] + counts["refused"] > 0

    return run
