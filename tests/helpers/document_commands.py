"""The commands that documents show: those in fences of Markdown and in docstrings of configs."""

import ast
import contextlib
import dataclasses
import pathlib
import re
import shlex
from collections.abc import Iterator, Sequence

ROOT = pathlib.Path(__file__).parents[2]
LANGUAGES = ("sh", "python")
SCRIPTS = {
    "saved_models/build.py": "build",
    "finetune/finetune.py": "finetune",
    "finetune/ood_curves.py": "ood-curves",
    "finetune/suite.py": "suite",
    "pretrain/pretrain.py": "pretrain",
}
_FENCE = re.compile(r"^( *)```(\w*) *$")
# In a docstring, an indented line that begins so is a command; its continuation is indented more.
_COMMAND = re.compile(r"^ {4}(?:python |remedis |make )")
# What a reader replaces, and a value in its place.
EXAMPLES = {"SEED": "0", "DIR": "runs/example"}
_PLACEHOLDER = re.compile(rf"\b(?:{'|'.join(EXAMPLES)})\b")
_INLINE = re.compile(r"(?<!`)`(remedis [a-z][^`]*)`(?!`)")


@dataclasses.dataclass(frozen=True)
class Block:
    """Commands or statements that a document shows together.

    Attributes:
      line: of the document, from 1, on which it begins.
      language: `sh` or `python`.
      text: without the indentation that it has as a whole.
    """

    line: int
    language: str
    text: str


def documents() -> list[str]:
    """Returns the paths of all documents with commands, from the root of the repository."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "configs").glob("*.py")]
    names = sorted(path.relative_to(ROOT).as_posix() for path in pages)
    return [name for name in names if any(blocks(name))]


def blocks(document: str) -> Iterator[Block]:
    """Yields the blocks of a document in order.

    Raises:
      AssertionError: a fence has no language, or does not end.
    """
    text = (ROOT / document).read_text()
    if document.endswith(".py"):
        yield from _in_docstring(ast.get_docstring(ast.parse(text)) or "")
    else:
        yield from _in_fences(document, text.splitlines())


def commands(block: Block) -> Iterator[list[str]]:
    """Yields the words of each command of a block, without comments.

    A backslash at the end of a line continues the command, and so does an open quotation mark.
    """
    read = ""
    for line in block.text.splitlines():
        read += line
        if read.endswith("\\"):
            read = read[:-1]
            continue
        try:
            words = shlex.split(read, comments=True)
        except ValueError:  # an open quotation mark
            read += "\n"
            continue
        read = ""
        if words:
            yield [_PLACEHOLDER.sub(lambda found: EXAMPLES[found[0]], word) for word in words]
    assert not read.strip(), f"an unfinished command: {read}"


def ours(words: Sequence[str]) -> list[str] | None:
    """Returns the words after `remedis` of a command of this project; None for another's.

    The scripts of a checkout stand for the commands that they are.
    """
    if words[0] == "remedis":
        return list(words[1:])
    if words[0].endswith("python") and words[1:2] and words[1] in SCRIPTS:
        return [SCRIPTS[words[1]], *words[2:]]
    return None


def mentions(document: str) -> Iterator[list[str]]:
    """Yields the words after `remedis` of each command in a sentence, such as `remedis list`."""
    text = re.sub(r"```.*?```", "", (ROOT / document).read_text(), flags=re.DOTALL)
    for found in _INLINE.findall(text):
        with contextlib.suppress(ValueError):  # a quotation mark that stands alone
            yield shlex.split(found.replace("\n", " "))[1:]


def _in_fences(document: str, lines: list[str]) -> Iterator[Block]:
    inside: list[str] | None = None
    start, indent, language = 0, "", ""
    for number, line in enumerate(lines, 1):
        fence = _FENCE.match(line)
        if inside is None and fence:
            inside, start, indent, language = [], number, fence[1], fence[2]
            assert language, f"{document}, line {number}: name the language of the block"
        elif inside is not None and line.strip() == "```":
            if language in LANGUAGES:
                yield Block(start + 1, language, "\n".join(inside))
            inside = None
        elif inside is not None:
            inside.append(line.removeprefix(indent))
    assert inside is None, f"{document}, line {start}: the block does not end"


def _in_docstring(text: str) -> Iterator[Block]:
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if _COMMAND.match(line) and not lines[number - 2].endswith("\\"):
            rest = lines[number - 1 :]
            end = next(i for i, each in enumerate(rest) if not each.endswith("\\"))
            yield Block(number, "sh", "\n".join(each.strip() for each in rest[: end + 1]))
