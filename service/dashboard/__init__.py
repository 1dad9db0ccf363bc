"""The page at `/dashboard`: static files of ours over the public API, without a build step.

It has nothing that a client of the API has not: what it shows and does, it asks the API for.
"""

from service.dashboard.routes import dashboard

__all__ = ["dashboard"]
