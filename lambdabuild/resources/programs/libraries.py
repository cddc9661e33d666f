"""Prints the names of the shared libraries that the loader of this system finds, one a line.

See ld.so(8): LD_LIBRARY_PATH, what ldconfig was told (ld.so.conf(5)), and the default folders.
"""

import glob
import os

folders = [*os.environ.get("LD_LIBRARY_PATH", "").split(":"), "/lib64", "/usr/lib64", "/lib", "/usr/lib"]
files = ["/etc/ld.so.conf"]
for name in files:
    try:
        with open(name) as file:
            words = [line.partition("#")[0].split() for line in file]
    except OSError:
        continue
    for line in words:
        if line[:1] == ["include"]:
            files += (path for pattern in line[1:] for path in glob.glob(os.path.join("/etc", pattern)))
        else:
            folders += line
names: set[str] = set()
for folder in folders:
    if os.path.isdir(folder or "/nonexistent"):
        names.update(name for name in os.listdir(folder) if ".so" in name)
print("\n".join(sorted(names)))
