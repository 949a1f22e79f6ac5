"""What does Plimsoll do, seen with one's own eyes? Three models on CPU and GPU pools of a real control plane.

- In: nothing but this repository (``examples/demo/``); public traces where they are there.
- Out: a live table, a summary against "everything on the GPU pool", and an exit code that says whether it worked.
- ``stage`` puts up what is real (control plane, Prometheus, operator) and what stands in (nodes, engines, node
  autoscaler); ``scenario`` is the play; ``recording`` what was seen;
  ``live_figures`` are those of the last tick; ``screen`` shows them; ``verdict`` judges.

    python -m plimsoll_testkit.demo [--json FILE] [--seconds N]
"""
