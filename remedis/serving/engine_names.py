"""Names of the engines of a server, for commands that do not load one."""

SAVED_MODEL = "savedmodel"
# The SavedModel itself, and the formats of `remedis export` that have an engine worth serving.
ENGINES = (SAVED_MODEL, "frozen", "onnx", "openvino")
