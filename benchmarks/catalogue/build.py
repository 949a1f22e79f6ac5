"""Build the catalogue: `make catalogue`. Fits every profile anew, and writes manifests and page.

In: the folder of measured files (PLIMSOLL_DATA_DIR, else shared/data beside the repository). Out:
charts/plimsoll/catalog/{profiles,pools}/*.yaml and docs/catalogue.md; the same bytes for the same data. With --check
nothing is written, and files that differ are named.
"""

import argparse
import csv
import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import data_folder
from catalogue import models
from catalogue.costs import offers
from catalogue.manifests import pool_text, profile_text
from catalogue.page import page
from catalogue.pools import cpu_spot_shares, templates
from catalogue.profiles import checks, entries
from catalogue.sources import measured, pair_efficiency, rows_of
from catalogue.verdict import duels
from plimsoll.errors import PlimsollError

REPOSITORY = Path(__file__).resolve().parents[2]
CATALOG = Path("charts/plimsoll/catalog")
PAGE = Path("docs/catalogue.md")


def catalogue(folder: Path) -> Mapping[Path, str]:
    """Every file of the catalogue, relative to the repository."""
    laws = measured(folder)
    table = list(csv.DictReader((folder / "trtllm_llama_fp8.csv").read_text().splitlines()))
    found = entries(laws, pair_efficiency(rows_of(table, models.LLAMA_70B)))
    pools = templates(folder)
    priced = offers(found, pools)
    told = page(
        found,
        pools,
        priced,
        duels(priced),
        {"GPU": checks(laws, gpu=True), "CPU": checks(laws, gpu=False)},
        cpu_spot_shares(folder),
    )
    return {
        **{CATALOG / "profiles" / f"{entry.name}.yaml": profile_text(entry) for entry in found},
        **{CATALOG / "pools" / f"{pool.name}.yaml": pool_text(pool) for pool in pools},
        PAGE: told,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name files that differ")
    arguments = parser.parse_args()
    try:
        files = catalogue(data_folder.measured())
    except PlimsollError as error:
        print(error, file=sys.stderr)
        return 2
    present = {path.relative_to(REPOSITORY) for path in (REPOSITORY / CATALOG).rglob("*.yaml")}
    changed = [path for path, text in files.items() if _text(REPOSITORY / path) != text]
    left_over = sorted(present - set(files))
    if arguments.check:
        for path in sorted({*changed, *left_over}):
            print(f"{path} differs: run `make catalogue` and commit")
        return 1 if changed or left_over else 0
    for path in changed:
        (REPOSITORY / path).parent.mkdir(parents=True, exist_ok=True)
        (REPOSITORY / path).write_text(files[path])
    for path in left_over:
        (REPOSITORY / path).unlink()
    print(f"{len(files)} files, {len(changed)} of them new or changed, {len(left_over)} removed")
    return 0


def _text(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
