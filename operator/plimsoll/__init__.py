"""Plimsoll: the lowest cost per token that still meets the latency SLOs, on CPU and GPU node pools together.

The map, in the order in which data flows (design: one direction, no way back):

- ``api``: the four CRDs as models; the only place that knows the wire format.
- ``domain``: the frozen values that stations hand on.
- ``observe``: watch cache and Prometheus in, one immutable ``Snapshot`` per tick out.
- ``readiness``: pods' start-ups in, the time until one more replica of each variant is ready out.
- ``forecast``: demand history in, demand quantiles at each variant's lead time out.
- ``sizing``: profile, mix and SLO in, the safe request rate of a replica out.
- ``planning``: options and pools in, the cheapest feasible allocation out.
- ``rollout``: where we are and where we want to be in, the next safe steps out.
- ``decide``: composes the four above; the operator and the simulator run this very function.
- ``explain``: a finished plan in, conditions and sentences out.
- ``apply``: steps and explanations in, writes to the cluster out.
- ``operator``, ``tick``, ``watching``, ``leader``, ``settings``, ``telemetry``: the process around it.
- ``api_server``, ``resource_paths``: the one way to the API server, for observe, apply and the process.
- ``fitting``: measurements of an engine in, a step-time law with its error out; used by ``plimsoll profile``.
- ``manifests``: files of YAML in, a filled cache out, for whoever works without a cluster.
- ``simulator``: manifests and demand in, what each policy would have cost and kept out.
- ``cli``: the commands.
"""

__version__ = "0.1.0"
