"""Graphs of SavedModel folders: a check of their operations, and loading.

A SavedModel is a program that TensorFlow runs. TensorFlow advises to look for operations that read
or write files before loading one (its SECURITY.md, and `saved_model_cli scan`). An image network
needs none, so a folder that has some is refused. This is not a sandbox: an operation that is
not listed may still be vulnerable.
"""

import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import function_pb2, node_def_pb2
from tensorflow.core.protobuf import saved_model_pb2

from remedis import files, regular_files
from remedis.errors import UserError, first_line, shortened, some
from remedis.zoo import graph_file
from remedis.zoo.tensors import saved_model_variables

# Names of TensorFlow's operations that read or write files, run Python or exchange tensors with
# other processes. `saved_model_cli scan` lists WriteFile, ReadFile and PrintV2, which can append to
# a file. Operations of data sets and tables are here since they read files.
_REACHING = re.compile(
    r"File|Save|Restore|MergeV2Checkpoints|Reader|Record|TextLine|LMDB|Sql|CSVDataset|Snapshot|"
    r"CacheDataset|LoadDataset|LoadAndRemap|DataService|Summary|Print|PyFunc|^Debug|^Remote|"
    r"^_?(?:Host)?(?:Send|Recv)|Collective|Vocab|ImmutableConst|Rpc|^TRTEngine"
)
# Every SavedModel has these two functions, which TensorFlow calls by itself when it saves or
# restores a graph of TensorFlow 1.
_SAVER = re.compile(r"__inference__traced_(?:save|restore)_\d+")
_SAVES = ("MergeV2Checkpoints", "RestoreV2", "SaveV2", "ShardedFilename")
_PLAIN = ("", "variables", "assets")  # folders inside that TensorFlow reads


def reaching_operations(directory: files.Path) -> tuple[str, ...]:
    """Returns the operations of a SavedModel's graph that reach beyond it, sorted.

    These read or write files, run Python or use the network. The functions that save and restore
    the variables are left out, unless another function calls them.

    Args:
      directory: the SavedModel folder.

    Raises:
      UserError: the graph cannot be read, or TensorFlow 1 wrote it.
    """
    file = pathlib.Path(directory, "saved_model.pb")
    message = saved_model_pb2.SavedModel()
    try:
        message.ParseFromString(graph_file.read(file))
    except (OSError, DecodeError) as error:
        raise UserError(_unloadable(directory, error)) from error
    graphs = message.meta_graphs
    # Otherwise TensorFlow treats it as a graph of TensorFlow 1, and also runs operations outside of
    # functions.
    if len(graphs) != 1 or not graphs[0].HasField("object_graph_def"):
        raise UserError(
            f"{directory} is no SavedModel of TensorFlow 2 ({len(graphs)} graphs); expected one "
            "graph with its objects, as tf.saved_model.save writes it."
        )
    library = graphs[0].graph_def.library
    saver = {f.signature.name for f in library.function if _SAVER.fullmatch(f.signature.name)}
    saver -= set(graphs[0].object_graph_def.concrete_functions)
    saver -= set(_called(library))
    found = {
        node.op
        for function in library.function
        for node in function.node_def
        if _REACHING.search(node.op)
        and not (node.op in _SAVES and function.signature.name in saver)
    }
    return tuple(sorted(found))


def load(directory: files.Path) -> Any:
    """Returns the object that `tf.saved_model.load` gives for a folder.

    Raises:
      UserError: the folder is damaged, its graph reaches beyond itself, or its variables are not
        finite.
    """
    if found := reaching_operations(directory):
        raise UserError(
            f"{directory} has a graph that reads or writes files, runs Python or uses the network "
            f"({some([shortened(name) for name in found])}); no image network needs that: do not "
            "load it, and ask where it comes from."
        )
    try:
        for folder in (pathlib.Path(directory, name) for name in _PLAIN):
            for file in folder.iterdir() if folder.is_dir() else ():
                if not file.is_dir():
                    regular_files.check_regular(file)
        variables = saved_model_variables(directory)
        for name in variables:
            variables[name]  # raises for a damaged one, and for NaN
        return tf.saved_model.load(os.fspath(directory))
    except (UserError, MemoryError):
        raise
    # TensorFlow's loader trusts the graph; for damaged ones it raises errors of every kind.
    except Exception as error:
        raise UserError(_unloadable(directory, error)) from error


def _unloadable(directory: files.Path, error: Exception) -> str:
    reason = shortened(first_line(error))
    return f"{directory} cannot be loaded ({reason}); copy the folder again."


def _called(library: function_pb2.FunctionDefLibrary) -> Iterator[str]:
    """Yields the names of the functions that functions call."""
    for gradient in library.gradient:
        yield gradient.gradient_func
    for function in library.function:
        for node in function.node_def:
            yield node.op
            yield from _arguments(node)


def _arguments(node: node_def_pb2.NodeDef) -> Iterator[str]:
    """Yields the names of the functions that an operation takes."""
    for value in node.attr.values():
        yield value.func.name
        yield from (function.name for function in value.list.func)
