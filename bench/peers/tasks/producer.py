"""python producer.py MODULE: enqueue as many tasks as each line says, one after the other.

Answers a line with the times before the first call and after the last.
"""

import importlib
import sys
import time

enqueue = importlib.import_module(sys.argv[1]).enqueue

for line in sys.stdin:
    start = time.monotonic()
    enqueue(int(line))
    print(start, time.monotonic(), flush=True)
