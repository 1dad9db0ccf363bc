"""Every statement on the task table. Nothing else changes a task's status.

    waiting ──▶ queued ──▶ running ──▶ succeeded
                  ▲  ▲         │├─┬──▶ failed ──(retry by hand)──▶ queued
                  │  └retrying◀┘│ └──▶ cancelled, if asked to stop
                  └─(given back)┘
    waiting | queued | retrying ──▶ cancelled ──(retry by hand)──▶ queued

A claim is compare-and-set: it takes rows that are due, counts the attempt and leaves a lease with
a token. Every later change of a running row names that token, so a late attempt changes nothing.
All functions work on the caller's session and leave the commit to it.
"""

from service.tasks.rows.attempt import (
    claim,
    claim_one,
    fail,
    give_back,
    is_held,
    renew,
    renew_all,
    report_progress,
    retry_later,
    succeed,
)
from service.tasks.rows.bulk import CANCEL, RETRY, Verb
from service.tasks.rows.chains import chain_of
from service.tasks.rows.control import cancel, cancel_about, retry, status_of
from service.tasks.rows.counts import counts, depth, finished, scheduled, seconds_to_next
from service.tasks.rows.dispatch import Dispatched, dispatch, take_back
from service.tasks.rows.enqueue import Step, chain, enqueue
from service.tasks.rows.minutes import (
    SECONDS,
    Counted,
    begin_of,
    forget_minutes,
    keep,
    minute_at,
    series,
    unkept,
)
from service.tasks.rows.overview import failure_groups, status_counts, unfinished_by_kind
from service.tasks.rows.pauses import pause, paused, resume
from service.tasks.rows.priorities import prioritise, prioritising
from service.tasks.rows.prune import prune
from service.tasks.rows.rescue import lost, rescue, workers
from service.tasks.rows.statements import is_running
from service.tasks.rows.stopping import asked_to_stop, cancel_running
from service.tasks.words import DUE, FINAL, LIVE, STATUSES, Ended, Failure, Subject, TaskRow

__all__ = [
    "CANCEL",
    "DUE",
    "FINAL",
    "LIVE",
    "RETRY",
    "SECONDS",
    "STATUSES",
    "Counted",
    "Dispatched",
    "Ended",
    "Failure",
    "Step",
    "Subject",
    "TaskRow",
    "Verb",
    "asked_to_stop",
    "begin_of",
    "cancel",
    "cancel_about",
    "cancel_running",
    "chain",
    "chain_of",
    "claim",
    "claim_one",
    "counts",
    "depth",
    "dispatch",
    "enqueue",
    "fail",
    "failure_groups",
    "finished",
    "forget_minutes",
    "give_back",
    "is_held",
    "is_running",
    "keep",
    "lost",
    "minute_at",
    "pause",
    "paused",
    "prioritise",
    "prioritising",
    "prune",
    "renew",
    "renew_all",
    "report_progress",
    "rescue",
    "resume",
    "retry",
    "retry_later",
    "scheduled",
    "seconds_to_next",
    "series",
    "status_counts",
    "status_of",
    "succeed",
    "take_back",
    "unfinished_by_kind",
    "unkept",
    "workers",
]
