"""A child process that works for this one: it can be limited, and it can be killed.

`child` is what runs over there, in a clean interpreter that knows neither database nor storage nor
event loop; `process` is that child as seen from here.
"""
