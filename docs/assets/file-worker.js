// Stand-in for `Worker` on pages opened from the file system.
