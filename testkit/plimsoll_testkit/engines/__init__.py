"""What do the engines do that no fake pod runs? Simulated replicas, one for each ready pod, in a process of their own.

- In: the pods of a cluster, models with their step-time laws and their traffic (``configuration``).
- Out: over HTTP, the metrics that a real vLLM exposes for each pod, the http_sd list that Prometheus scrapes them by,
  and a summary of what users saw.
- ``engine`` is one replica's continuous batching, ``arrivals`` the traffic, ``fleet`` all replicas and the gateway in
  front of them, ``exposition`` and ``gateway_exposition`` their metrics, ``web`` the HTTP side.

    python -m plimsoll_testkit.engines --kubeconfig FILE --config FILE --port 0
"""
