"""The physics of one serving replica, and of several behind a router: what every single request sees.

In: step-time laws, requests, a router. Out: latencies and safe rates. Used by ``sizing``, and made to be used by a
simulator. Pure: no clock, no randomness but what is passed in; the same input gives the same output on every machine.

- ``serving``: requests through replicas, by the compiled kernel in ``batching``.
- ``workload``: arrivals and token lengths to ask about.
- ``compiled``: how hot loops become machine code.
"""
