"""The grammar of weight specifications, used by the builder, every config and every command.

A specification is one of

- a folder: one of ours, an exported classifier, the release's as downloaded, or the directory of a
  run, which stands for its `export`;
- `bit:FILE.npz`: one of BiT's published files, trained on natural images;
- `release:DIR`: a folder of the REMEDIS release as downloaded;
- `random:SEED`: weights drawn from a seed, of the architecture that is asked for;
- `scratch:50x1`: a BiT backbone with weights drawn from the run's seed. Smaller ones for trials are
  `scratch:50x0.5` (half the width) and `scratch:1-1-1-1x0.5` (one unit per block, the smallest).
  What follows the colon is BLOCKSxWIDTH, the blocks as a depth (50, 101 or 152) or as the units of
  the four blocks;
- `keras:DenseNet121:FILE`: a network of `keras.applications` with the user's weights. Without a
  file its weights are drawn from the run's seed.

`checkpoint:DIR` is the old form of a folder. This version accepts it with a warning.
"""

import dataclasses
import errno
import logging
import os
import pathlib
import re

from remedis import files
from remedis.errors import UserError, quoted, shortened, unknown_choice
from remedis.models.applications import ApplicationNetwork, names
from remedis.models.architectures import Architecture
from remedis.models.backbone import Backbone
from remedis.options import spelled
from remedis.zoo import (
    application_weights,
    bit_npz,
    checkpoint,
    provenance,
    random_weights,
    release,
)
from remedis.zoo.provenance import Provenance
from remedis.zoo.run_export import export_folder
from remedis.zoo.run_export import is_run as is_run
from remedis.zoo.weight_forms import EXPECTED, FORMS, OLD_FOLDER
from remedis.zoo.weights import Weights

_LOG = logging.getLogger(__name__)

FOLDER = ""  # the scheme of a folder: none
BIT_EXPECTED = "a folder of one, bit:FILE.npz, release:DIR, random:SEED or scratch:50x1"


@dataclasses.dataclass(frozen=True)
class Source:
    """A parsed specification.

    Attributes:
      scheme: a key of `FORMS`, or `FOLDER`.
      argument: the text after the scheme. The path of a folder; of a run, that of its `export`.
      text: the specification as written.
    """

    scheme: str
    argument: str
    text: str

    @property
    def folder(self) -> pathlib.Path | None:
        """The path of the SavedModel folder; None for forms without a folder."""
        return pathlib.Path(self.argument) if self.scheme in (FOLDER, "release") else None

    def network(self) -> tuple[str, str]:
        """Returns name and file of a `keras:` specification. The file is empty if none is named.

        Raises:
          UserError: there is no such network, or nothing follows its colon.
        """
        name, colon, file = self.argument.partition(":")
        if name not in names():
            raise unknown_choice("network of keras.applications", name, names())
        if colon and not file:
            raise UserError(
                f"{self.text!r} names no file after the network; write keras:{name}:FILE, or "
                f"keras:{name} for random weights."
            )
        return name, file


@dataclasses.dataclass(frozen=True)
class LoadedBackbone:
    """A backbone with its weights, and the provenance of these."""

    backbone: Backbone
    provenance: Provenance


@dataclasses.dataclass(frozen=True)
class _Request:
    """The architecture that weights are to have, and the option that says so."""

    architecture: str
    option: str

    def check(self, source: Source, architecture: str) -> None:
        if self.architecture and architecture != self.architecture:
            raise UserError(
                f"{source.text} is of the architecture {architecture}, but {self.option} asks for "
                f"{self.architecture}; name other weights, or change "
                f"{self.option.partition('=')[0]}."
            )

    def bit(self) -> Architecture | None:
        """Returns the architecture of a BiT backbone. None if any is right, or one of Keras'."""
        known = self.architecture and self.architecture not in names()
        return Architecture.parse(self.architecture) if known else None


def _request(architecture: str, option: str | None) -> _Request:
    return _Request(architecture, spelled("architecture") if option is None else option)


def parse(spec: str | Source) -> Source:
    """Returns the scheme and the argument of a specification. A `Source` is returned unchanged.

    Raises:
      UserError: the scheme is unknown, its argument is missing, there is no such folder, or the
        folder is a run without an export.
    """
    if isinstance(spec, Source):
        return spec
    scheme, colon, argument = spec.partition(":")
    if colon and scheme == OLD_FOLDER:
        _LOG.warning(f"{spec}: write {argument}; the next version does not accept {scheme}:DIR.")
        return dataclasses.replace(_folder(argument), text=spec)
    if scheme in FORMS and (colon or not os.path.isdir(spec)):
        if not argument:
            raise UserError(
                f"{quoted(spec)} names nothing after the scheme; write {FORMS[scheme]}."
            )
        if scheme == "random" and not re.fullmatch("[0-9]{1,18}", argument):
            raise UserError(f"{shortened(spec)}: the seed must be a whole number, e.g. random:0.")
        _check_path(argument)
        return Source(scheme, argument, spec)
    if re.fullmatch(r"\w+", scheme) and colon and not os.path.isdir(spec):
        raise unknown_choice("source of weights", scheme, FORMS)
    return _folder(spec)


def _check_path(text: str) -> None:
    """Raises a UserError for a text that the system takes for no path, such as one too long."""
    try:
        os.stat(text)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError) or error.errno == errno.ENAMETOOLONG:
            reason = getattr(error, "strerror", None) or str(error)
            raise UserError(
                f"{shortened(text)} is not a path ({reason.lower()}); name another."
            ) from error


def check(spec: str | Source, architecture: str = "", option: str | None = None) -> None:
    """Raises a UserError if the specified weights do not exist or are of another architecture.

    It does not read the weights. The architecture of a folder that is not ours is not checked.

    Args:
      spec: the specification.
      architecture: as for `load_backbone`.
      option: as for `load_backbone`.
    """
    source = parse(spec)
    known = named_architecture(source, architecture, option)
    _request(architecture, option).check(source, known or architecture)


def named_architecture(
    spec: str | Source, architecture: str = "", option: str | None = None
) -> str:
    """Returns the architecture of the specified weights, which it does not read.

    It is empty for a folder that is not ours.

    Args:
      spec: the specification.
      architecture: as for `load_backbone`, but only weights that are drawn have it.
      option: as for `load_backbone`.

    Raises:
      UserError: the weights do not exist.
    """
    source = parse(spec)
    if source.scheme == "keras":
        name, file = source.network()
        if file:
            application_weights.weights_file(name, file)
        return name
    if source.scheme == "scratch":
        return Architecture.parse(source.argument).name
    if source.scheme == "bit":
        return bit_npz.read_architecture(source.argument).name
    if source.scheme == "random":
        if architecture not in names():
            _random(source, _request(architecture, option))
        return architecture
    description = checkpoint.describe(source.argument)
    if description is None:
        return ""
    return description.application or checkpoint.architecture_of(description).name


def is_random(spec: str | Source) -> bool:
    """Returns whether a specification names weights that nothing has trained; does not read them.

    A folder says so in its provenance. A SavedModel folder that is not ours does not, and counts
    as trained.

    Raises:
      UserError: as `parse`, or the folder is no SavedModel.
    """
    source = parse(spec)
    if source.scheme == "keras":
        return not source.network()[1]
    if source.scheme == FOLDER:
        description = checkpoint.describe(source.argument)
        return description is not None and description.provenance.origin == provenance.RANDOM
    return source.scheme in ("random", "scratch")


def load_backbone(
    spec: str | Source, seed: int, architecture: str = "", option: str | None = None
) -> LoadedBackbone:
    """Returns the backbone that a specification names.

    Args:
      spec: the specification.
      seed: of weights that are drawn, unless the specification names a seed.
      architecture: such as `50x1` or `DenseNet121`: what the backbone must be; empty for any.
      option: the user's option that asks for the architecture, for messages; `architecture` as the
        interface spells it if not given, empty if the user cannot ask for one.

    Raises:
      UserError: there is no such folder, network or file, it holds something else, or the backbone
        is of another architecture.
    """
    source, request = parse(spec), _request(architecture, option)
    if name := _application(source, architecture):
        request.check(source, name)
        return LoadedBackbone(*_load_application(source, name, seed))
    weights = read_weights(source, seed, architecture, option)
    return LoadedBackbone(checkpoint.build_backbone(weights), weights.provenance)


def read_weights(
    spec: str | Source, seed: int, architecture: str = "", option: str | None = None
) -> Weights:
    """Returns the weights of the BiT backbone that a specification names.

    Args and errors are those of `load_backbone`. Another backbone than a BiT is an error, too.
    """
    source, request = parse(spec), _request(architecture, option)
    if name := _application(source, architecture):
        raise UserError(
            f"{source.text} is {name}, a network of keras.applications; expected a BiT backbone: "
            f"{BIT_EXPECTED}."
        )
    if source.scheme == "random":
        return random_weights.draw(int(source.argument), _random(source, request))
    if source.scheme == "scratch":
        parsed = Architecture.parse(source.argument)
        request.check(source, parsed.name)
        return random_weights.draw(seed, parsed)
    if source.scheme == "bit":
        wanted = request.bit() or bit_npz.read_architecture(source.argument)
        weights = bit_npz.read(source.argument, wanted)
    elif source.scheme == "release":
        weights = release.read(source.argument, request.bit())
    else:
        weights = checkpoint.read(source.argument)
    request.check(source, weights.architecture.name)
    return weights


def load_application(folder: files.Path, name: str) -> ApplicationNetwork:
    """Returns the network of `keras.applications` in an exported folder.

    Args:
      folder: the exported folder.
      name: such as `DenseNet121`.

    Raises:
      UserError: the folder is no SavedModel, or lacks some of the network's variables.
    """
    network = ApplicationNetwork(name)
    network.assign(checkpoint.arrays(folder, network.named_variables(), name))
    return network


def _folder(text: str) -> Source:
    path = pathlib.Path(text)
    if text and os.path.isdir(text):
        return Source(FOLDER, os.fspath(export_folder(path)), text)
    if not text:
        raise UserError(f"No weights are named; expected {EXPECTED}.")
    meant = _nearest(text)
    hint = f": did you mean {meant}?" if meant else "."
    raise UserError(f"{shortened(text)} is not a folder{hint} Expected {EXPECTED}.")


def _nearest(text: str) -> str:
    """Returns the specification that a text without a scheme is likely to mean; "" for none."""
    if text.endswith(".npz"):
        return f"bit:{text}"
    if text.endswith(application_weights.SUFFIXES):
        return f"keras:NETWORK:{text}"
    if text in names():
        return f"keras:{text}"
    if text.isdecimal():
        return f"random:{text}"
    return f"scratch:{text}" if re.fullmatch(r"[\d-]+x[\d.]+", text) else ""


def _random(source: Source, request: _Request) -> Architecture:
    """Returns the architecture of weights drawn from a seed."""
    if not request.architecture:
        advice = "write scratch:50x1"
        if request.option:
            advice = f"set {request.option}=50x1, or {advice} to draw from the seed of the run"
        raise UserError(
            f"{source.text} does not say of which architecture the weights are; {advice}."
        )
    return Architecture.parse(request.architecture)


def _application(source: Source, architecture: str) -> str:
    """Returns the network of `keras.applications` that is named; "" for a BiT backbone."""
    if source.scheme == "keras":
        return source.network()[0]
    if source.scheme == "random":
        return architecture if architecture in names() else ""
    if source.scheme == FOLDER:
        description = checkpoint.describe(source.argument)
        return "" if description is None else description.application
    return ""


def _load_application(
    source: Source, name: str, seed: int
) -> tuple[ApplicationNetwork, Provenance]:
    if source.scheme == FOLDER:
        description = checkpoint.describe(source.argument)
        assert description is not None
        return load_application(source.argument, name), description.provenance
    if source.scheme == "random":
        return application_weights.draw(name, int(source.argument))
    _, file = source.network()
    return application_weights.read(name, file) if file else application_weights.draw(name, seed)
