"""Writes parity cases.

usage: python -m sensorium_parity small FOLDER [NAME...]     the committed ones
       python -m sensorium_parity full FOLDER [NAME...]      published sizes, gigabytes of them
       python -m sensorium_parity list                       the names of those of published size

Each module beside this one that has a dictionary CASES adds its cases to the table: name -> function(folder, inputs, small).
Names begin with the module's own name. Cases without a full size are in its ONLY_SMALL instead. A case that has nothing of the wanted size
writes nothing.
"""
import importlib
import json
import pkgutil
import sys
from pathlib import Path

import sensorium_parity

from . import inputs


def collected(name):
    """The dictionaries of that name of all modules, as one."""
    found = {}
    for module in pkgutil.iter_modules(sensorium_parity.__path__):
        if not module.name.startswith("_"):
            found.update(getattr(importlib.import_module(f"{__package__}.{module.name}"), name, {}))
    return found


def main():
    if sys.argv[1:] == ["list"]:
        print("\n".join(sorted(collected("CASES"))))
        return
    if len(sys.argv) < 3 or sys.argv[1] not in ("small", "full"):
        sys.exit(__doc__)
    size, root, wanted = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    known = collected("CASES") | collected("ONLY_SMALL")
    for name in wanted:
        if name not in known:
            sys.exit(f"there is no case {name}; there are: {', '.join(sorted(known))}")
    write = inputs.write_small if size == "small" else inputs.write
    given = write(root / "inputs")
    for name in wanted or sorted(known):
        folder = root / name
        if (folder / "expected.json").exists() and not wanted:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        known[name](folder, given, size == "small")
        if not any(folder.iterdir()):
            folder.rmdir()
            continue
        print("written", name, flush=True)


if __name__ == "__main__":
    main()
