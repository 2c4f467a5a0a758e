"""The profile of `make bench`: it counts what is printed after the start of a turn, by kind."""

import sys

import pytest

PROGRAM = """
print("onednn_verbose,v1,primitive,exec,cpu,convolution,a,b,c,999")  # before the turn
print("ready")
input()
print("onednn_verbose,v1,primitive,create:cache_hit,cpu,convolution,a,b,c,999")
print("onednn_verbose,v1,primitive,exec,cpu,convolution,a,b,c,3.5")
print("onednn_verbose,v1,primitive,exec,cpu,gemm_api,a,b,c,2")
print("onednn_verbose,v1,primitive,exec,cpu,gemm_api,a,b,c,4")
print("onednn_verbose,v1,primitive,exec,cpu,pooling,a,b,c,1")
print('{"count": 2, "seconds": 0.02}')
"""


@pytest.fixture(scope="module")
def profile(load_benchmark):
    for name in ("turn", "turns"):
        load_benchmark(name)
    return load_benchmark("bench_profile")


def test_milliseconds_per_image_by_kind(profile):
    contender = profile.Contender("one", (sys.executable, "-c", PROGRAM))
    found = profile.by_onednn(contender)
    assert list(found.values()) == pytest.approx([3.0, 1.75, 0.0, 10 - 3.0 - 1.75])
    rows = profile.table([("one", found)], 7.4)
    assert "| one | 3.0 | 1.8 | 0.0 | 5.2 |" in rows
    assert "alone take 7 ms" in rows[2]
