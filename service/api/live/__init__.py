"""Live updates: what has changed is read once for all who follow, and handed to their streams."""

from service.api.live.follower import Follower
from service.api.live.response import EventStream
from service.api.live.stream import EVERYTHING, Stream, Topic

__all__ = ["EVERYTHING", "EventStream", "Follower", "Stream", "Topic"]
