"""Write benchmarks/scenarios/ anew: run it with `.venv/bin/python`; with --check it names folders that differ.

In: the catalogue. Out: for each scenario manifests.yaml and scenario.yaml; the same bytes every time.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scenario_folders import chat, fleets
from scenario_folders.parts import Folder

SCENARIOS = Path(__file__).resolve().parents[1] / "scenarios"
WRITTEN_BY = "# Written by benchmarks/scenario_folders/build.py: do not edit.\n"


def files() -> Mapping[Path, str]:
    """Every file, relative to the scenarios' folder."""
    found: dict[Path, str] = {}
    for folder in [*chat.folders(), *fleets.folders()]:
        found |= _files(folder)
    return found


def _files(folder: Folder) -> Mapping[Path, str]:
    home = Path(folder.name)
    return {
        home / "scenario.yaml": WRITTEN_BY + _text(folder.scenario),
        home / "manifests.yaml": WRITTEN_BY + "---\n".join(_text(one) for one in folder.objects),
    }


def _text(document: object) -> str:
    # Lists and mappings that fit go on one line: 200 models are 1000 workloads.
    return yaml.dump(document, Dumper=_Plain, sort_keys=False, width=120, default_flow_style=None)


class _Plain(yaml.CSafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name files that differ")
    check = parser.parse_args().check
    text_by_path = files()
    different = [
        path
        for path, text in text_by_path.items()
        if not (SCENARIOS / path).is_file() or (SCENARIOS / path).read_text() != text
    ]
    for path in different:
        print(f"{path} differs from what build.py writes" if check else f"{path} written")
        if not check:
            (SCENARIOS / path).parent.mkdir(parents=True, exist_ok=True)
            (SCENARIOS / path).write_text(text_by_path[path])
    return 1 if check and different else 0


if __name__ == "__main__":
    sys.exit(main())
