"""What the fuzzer may not ask for, and what it cannot guess.

Streams and waits that do not end by themselves are cut short. Of the calls that keep to the document every second one
gets a session, a message and a directory that are there: what is not there is soon said.
"""

import itertools
import os

import schemathesis
from schemathesis import GenerationMode

WAIT_MS_MAX = 50
MESSAGES = [pair.split("/") for pair in os.environ["FUZZ_MESSAGES"].split()]
turn = itertools.count()


def bounded(given):
    try:
        return 0 <= int(given) <= WAIT_MS_MAX
    except (TypeError, ValueError):
        # What is no number has to be refused, and stays.
        return given is not None


def put(fields, values):
    return {**fields, **{name: value for name, value in values.items() if name in fields}}


def bring_to_life(case, number):
    session, message = MESSAGES[number // 2 % len(MESSAGES)]
    case.path_parameters = put(case.path_parameters or {}, {"id": session, "m": message})
    case.query = put(case.query or {}, {"session": session, "tree": session, "for": message, "since": number})
    if case.operation.path == "/v1/sessions" and isinstance(case.body, dict):
        known = {"cli": "shell", "path": os.getcwd(), "model": None, "mode": None, "id": None, "parent": None}
        case.body = put(case.body, known)
    if isinstance(case.body, dict) and isinstance(case.body.get("after"), list):
        case.body = {**case.body, "after": [session, message][: number % 3]}


@schemathesis.hook
def before_call(context, case, kwargs):
    number = next(turn)
    if case.meta.generation.mode == GenerationMode.POSITIVE and number % 2:
        bring_to_life(case, number)
    query = dict(case.query or {})
    if str(query.get("follow", "")).lower() == "true":
        query["follow"] = "false"
    if case.operation.path == "/v1/wait" and not bounded(query.get("timeout_ms")):
        query["timeout_ms"] = WAIT_MS_MAX
    case.query = query
