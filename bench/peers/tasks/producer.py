"""python producer.py MODULE: enqueue as many tasks as each line says, one after the other.

Answers a line with the times before the first call and after the last.
"""

import importlib
import sys
import time

layer = importlib.import_module(sys.argv[1])
getattr(layer, "prepare", lambda: None)()

for line in sys.stdin:
    start = time.monotonic()
    layer.enqueue(int(line))
    print(start, time.monotonic(), flush=True)
