"""What would Plimsoll have done, and what would the others? A cluster and its engines, simulated event by event.

In: a scenario (manifests, demand, cluster facts), a policy, a seed. Out: a `RunResult`: money, kept promises, and all
that happened minute by minute. It drives the shipped `decide` through the same `Snapshot`, with metrics as a scrape
shows them. Deterministic: the same input gives the same output. Never here: any copy of a station. Design section 1.

- ``scenario``: what a folder says; ``demand``, ``traffic``: the requests; ``episode``: all that is drawn for a seed.
- ``policies``: the autoscalers that are compared, one small class each.
- ``result``: what came of it, and its JSON.
"""
