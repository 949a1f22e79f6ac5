"""The scenarios of the benchmark, written as folders: manifests of the catalogue's hardware and a scenario.yaml each.

In: the catalogue. Out: benchmarks/scenarios/NAME/. ``parts`` makes manifests, ``chat`` and ``fleets`` say what each
scenario is, ``build`` writes them; ``goals`` says what must be reached in each, and ``runs`` runs them.
"""
