import numpy as np
import pytest


@pytest.fixture
def benchmark(load_benchmark):
    return load_benchmark("export_engines")


def test_engines_are_timed_in_turn_and_those_without_one_are_not(benchmark):
    order = []

    def run(name):
        return lambda images: order.append((name, images.shape)) or {}

    engines = [
        benchmark.Engine("source", 3_000_000, 0.0, run("source")),
        benchmark.Engine("onnx", 2_000_000, 2e-6, run("onnx")),
        benchmark.Engine("npz", 1_000_000, 1e-7, None),
    ]
    benchmark.measure(engines, benchmark.QUICK, rounds=2)
    shape = (2, 32, 32, 3)
    assert order == [("source", shape), ("onnx", shape)] * 3  # once to warm up
    assert [len(engine.wall) for engine in engines] == [2, 2, 0]
    engines[1].wall, engines[1].processor = [0.5, 0.25], [0.5, 1.0]
    first, second, third = benchmark.rows("backbone", engines, benchmark.QUICK)
    assert first.startswith("| backbone | source | 3.0 |  | ")
    assert second == "| backbone | `onnx` | 2.0 | 2.0e-06 | 8.00 | 0.250 |"
    assert third == "| backbone | `npz` | 1.0 | 1.0e-07 |  |  |"
    text = benchmark.report([first], benchmark.QUICK, 2)
    assert text.startswith("## Sizes, differences and speed")
    assert text.endswith(first)


@pytest.mark.guarantee
def test_the_section_is_written_into_the_page(benchmark, tmp_path, monkeypatch):
    page = tmp_path / "export.md"
    page.write_text("# A\n\n<!-- engines -->\nold\n\n<!-- end of engines -->\n\n## Next\n")
    arguments = ["x", "--quick", "--rounds=1", "--formats=frozen,litert", f"--out={page}"]
    monkeypatch.setattr("sys.argv", arguments)
    benchmark.main()
    text = page.read_text()
    assert "old" not in text
    assert text.endswith("## Next\n")
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")][1:]
    assert [(row[0].strip(), row[1].strip()) for row in rows] == [
        (model, name)
        for model in ("backbone", "classifier")
        for name in ("source", "`frozen`", "`litert`")
    ]
    assert all(np.isfinite(float(row[4])) for row in rows)
