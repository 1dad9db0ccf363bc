"""Every statement on the task table. Nothing else changes a task's status.

    waiting ──▶ queued ──▶ running ──▶ succeeded
                  ▲  ▲        │├────▶ failed ──(retry by hand)──▶ queued
                  │  └retrying◀┘│
                  └─(given back)┘
    waiting | queued | retrying ──▶ cancelled

A claim is compare-and-set: it takes rows that are due, counts the attempt and leaves a lease with
a token. Every later change of a running row names that token, so a late attempt changes nothing.
All functions work on the caller's session and leave the commit to it.
"""

from service.tasks.rows.attempt import (
    claim,
    fail,
    give_back,
    renew,
    renew_all,
    report_progress,
    retry_later,
    succeed,
)
from service.tasks.rows.control import cancel, cancel_about, retry, status_of
from service.tasks.rows.counts import counts, depth, is_queued
from service.tasks.rows.dispatch import Dispatched, dispatch, take_back
from service.tasks.rows.enqueue import Step, chain, enqueue
from service.tasks.rows.rescue import lost, rescue, workers
from service.tasks.words import DUE, FINAL, LIVE, STATUSES, Ended, Failure, Subject, TaskRow

__all__ = [
    "DUE",
    "FINAL",
    "LIVE",
    "STATUSES",
    "Dispatched",
    "Ended",
    "Failure",
    "Step",
    "Subject",
    "TaskRow",
    "cancel",
    "cancel_about",
    "chain",
    "claim",
    "counts",
    "depth",
    "dispatch",
    "enqueue",
    "fail",
    "give_back",
    "is_queued",
    "lost",
    "renew",
    "renew_all",
    "report_progress",
    "rescue",
    "retry",
    "retry_later",
    "status_of",
    "succeed",
    "take_back",
    "workers",
]
