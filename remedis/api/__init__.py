"""The public functions: what the commands do, for Python. `import remedis` names them."""
