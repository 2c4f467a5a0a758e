"""Fuzzes specification strings: preprocessing, weights, and the lists in configs and flags."""

import pathlib
import re

import harness
from hypothesis import strategies as st

PREPROCESSING = (
    "resize(256) | random_crop(224) | flip_left_right()",
    "contrastive_cxr(224)",
    "random_resized_crop(64, area=(0.6, 1.0)) | rotate(10) | brightness(0.2) | contrast(0.2)",
    "elastic_deformation(1000, 30, 0.5) | gaussian_blur(0.5) | histogram_equalisation(0.5)",
    "released_random_crop(32, clip=False) | clip() | stain_jitter(0.05, 0.05) | quarter_turns()",
)
WEIGHTS = ("scratch:50x1", "scratch:1-1-1-1x0.5", "random:0", "keras:DenseNet121", "bit:a.npz")
LISTS = (
    "learning_rate=0.003,0.03; steps=100,300",
    'a=b; "c;d"=e',
    "views=all; columns='a=path; b=split'; test_centres=(2, 3)",
    "a: x=1, y=none; b: x=(2, 3)",
    "0, 1%, 50, 100%",
    '"Nodule, solid",Mass',
    "resize({size})",
)

numbers = st.one_of(
    st.sampled_from(
        [
            "0",
            "-1",
            "1",
            "2.5",
            "1e308",
            "1e999",
            "-1e999",
            "nan",
            "inf",
            "10**9",
            "1000000000",
            "0x10",
            "1_0",
            "1j",
            "1+2j",
            "True",
            "None",
        ]
    ),
    st.integers().map(str),
    st.integers(1, 5000).map(lambda digits: "9" * digits),
    st.floats().map(repr),
)
values = st.recursive(
    numbers,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: f"({', '.join(items)},)"),
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
    ),
    max_leaves=6,
)
words = st.sampled_from(
    [*sorted(set(re.findall(r"[a-z_]\w+", " ".join(PREPROCESSING)))), "size", "seed", "method", "a"]
)
arguments = st.one_of(values, st.tuples(words, values).map("=".join), words, st.just("**{}"))
calls = st.builds(
    lambda name, given: f"{name}({', '.join(given)})", words, st.lists(arguments, max_size=3)
)
chains = st.one_of(
    st.lists(calls, min_size=1, max_size=5).map(" | ".join),
    st.tuples(calls, st.integers(1, 4000)).map(lambda drawn: " | ".join([drawn[0]] * drawn[1])),
    st.tuples(st.sampled_from("([{-~!.|'\"\0\\"), st.integers(1, 9000)).map(
        lambda drawn: drawn[0] * drawn[1]
    ),
    st.text(),
)
names = st.one_of(
    st.builds(
        lambda scheme, text: f"{scheme}:{text}",
        st.sampled_from(["scratch", "random", "keras", "bit", "release", "checkpoint", "", "x"]),
        st.one_of(
            st.from_regex(r"\A\d+(-\d+-\d+-\d+)?x\d+(\.\d+)?\Z"),
            st.integers(1, 6000).map(lambda digits: "9" * digits),
            st.builds("{0}-{0}-{0}-{0}x{1}".format, st.integers(0, 10**9), numbers),
            st.text(),
        ),
    ),
    st.integers(1, 5000).map(lambda length: "a" * length),
    st.text(),
)
pieces = st.one_of(
    st.sampled_from([*";,:=%'\"()[]{} ", "steps", "learning_rate", "views", "a", "{size}"]),
    numbers,
    st.text(max_size=5),
)
lists = st.one_of(
    st.lists(pieces, max_size=20).map("".join),
    st.tuples(st.sampled_from(LISTS), st.integers(1, 400)).map(
        lambda drawn: ";".join([drawn[0]] * drawn[1])
    ),
    st.integers(1, 3000).map(lambda count: "steps=" + ",".join(map(str, range(count)))),
)


def text_of(contents: bytes) -> str:
    return contents.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def read_preprocessing(contents: bytes, _: pathlib.Path) -> None:
    from remedis.preprocess import parse

    parsed = parse(text_of(contents))
    assert parse(parsed.specification).specification == parsed.specification


def read_weights(contents: bytes, _: pathlib.Path) -> None:
    from remedis.models.architectures import Architecture
    from remedis.zoo import resolve

    source = resolve.parse(text_of(contents))
    if source.scheme == "scratch":
        architecture = Architecture.parse(source.argument)
        assert Architecture.parse(architecture.name) == architecture
    elif source.scheme == "random":
        resolve.check(source, "50x1")
    elif source.scheme != "bit":  # the seeds name no file
        resolve.check(source)


def read_lists(contents: bytes, _: pathlib.Path) -> None:
    from remedis import options, specifications
    from remedis.errors import UserError
    from remedis.finetuning.tuning_grid import Grid
    from remedis.label_budget import budgets

    text = text_of(contents)
    expected = "a text"
    for read in (
        Grid.parse,
        options.label_list,
        lambda text: options.source_options(text, "config.source_options"),
        lambda text: options.pairs(text, what="x", expected=expected),
        lambda text: options.quoted_pairs(text, what="x", expected=expected),
        lambda text: options.values_by_name(text, what="x", expected=expected),
        lambda text: budgets.sizes(text, 1000),
        lambda text: specifications.with_size(text, 224, "x"),
    ):
        said = ""
        try:
            read(text)
        except UserError as error:
            said = str(error)
        assert len(said.encode()) < 6000, read


TARGETS = {
    "preprocessing": harness.Target(
        seeds=lambda: [text.encode() for text in PREPROCESSING],
        read=read_preprocessing,
        drawn=chains.map(encoded),
    ),
    "weights": harness.Target(
        seeds=lambda: [text.encode() for text in WEIGHTS],
        read=read_weights,
        drawn=names.map(encoded),
    ),
    "lists": harness.Target(
        seeds=lambda: [text.encode() for text in LISTS],
        read=read_lists,
        drawn=lists.map(encoded),
    ),
}
