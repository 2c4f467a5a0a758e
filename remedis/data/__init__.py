"""Data: manifests, their sources, splits, the leak gate, the scan of files."""
