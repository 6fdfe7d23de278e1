"""headscale's errors in our words. Pure.

headscale answers nearly every failure with the code UNKNOWN and a Go error text, so the text decides. The table is read top down and the
first row that fits wins: half-done work comes first, because its text quotes the very words ("user not found") that mean something else
further down, and the policy's own errors next, for the same reason. All texts were heard from headscale 0.29.3; tests/live holds them to it.
"""

from __future__ import annotations

from typing import NamedTuple

from hsadmin.errors import (
    HeadscaleConflict,
    HeadscaleDown,
    HeadscaleFailed,
    HeadscaleHalfDone,
    HeadscaleInvalid,
    HeadscaleSlow,
    HeadscaleTooLarge,
    HeadscaleUnknown,
    HeadscaleUnsupported,
    PolicyReadOnly,
    Problem,
)
from hsadmin.system.redact import redact

SPOKEN = 300  # characters of headscale's words inside a sentence; the whole is in the problem's facts
KEPT = 8000
_NEVER_SENT = "failed to connect"
_POLICY = frozenset({"SetPolicy", "CheckPolicy"})


class WireError(Exception):
    """A call that failed: gRPC's status by name, and the text beside it."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class Row(NamedTuple):
    """`fragment` of the text → `problem`; `{words}` in the sentence is headscale's own text. `calls`, when given, limits the row to them."""

    fragment: str
    problem: type[Problem]
    sentence: str
    calls: frozenset[str] | None = None
    not_calls: frozenset[str] = frozenset()


_HALF_DONE = "headscale made this change, but cannot apply its policy since ({words}): repair the policy, then let headscale reload it."

TEXTS: tuple[Row, ...] = (
    Row("updating policy", HeadscaleHalfDone, _HALF_DONE, not_calls=_POLICY),
    Row("update is disabled for modes other than", PolicyReadOnly, "headscale reads its policy from a file and takes none from us."),
    Row("setting policy:", HeadscaleInvalid, "headscale refuses this policy: {words}.", frozenset({"SetPolicy"})),
    Row("verifying SSH rules", HeadscaleInvalid, "headscale refuses this policy: {words}.", frozenset({"SetPolicy"})),
    Row("", HeadscaleInvalid, "headscale refuses this policy: {words}.", frozenset({"CheckPolicy"})),
    Row("acl policy not found", HeadscaleUnknown, "headscale has no policy stored."),
    # conflicts
    Row("UNIQUE constraint failed: users.name", HeadscaleConflict, "there is a user of this name already."),
    Row("UNIQUE constraint failed", HeadscaleConflict, "headscale has this already: {words}."),
    Row("violates unique constraint", HeadscaleConflict, "headscale has this already: {words}."),
    Row("node name is not unique", HeadscaleConflict, "there is a node of this name already."),
    Row("user not empty", HeadscaleConflict, "this user still has nodes; give them away or delete them first."),
    Row("expected exactly one user", HeadscaleConflict, "headscale cannot tell which user is meant: {words}."),
    Row("node key already in use", HeadscaleConflict, "another device uses this node key already."),
    Row("ambiguous node ownership", HeadscaleConflict, "headscale cannot tell whose device this is: {words}."),
    # nothing of that kind there
    Row("user not found", HeadscaleUnknown, "headscale has no such user."),
    Row(
        "node not found in registration cache", HeadscaleUnknown, "no device waits under this id; it may have asked again under a new one."
    ),
    Row("no pending auth session", HeadscaleUnknown, "nothing waits under this id any more."),
    Row("node no longer exists in NodeStore", HeadscaleUnknown, "headscale has no such node."),
    Row("node not found", HeadscaleUnknown, "headscale has no such node."),
    Row("record not found", HeadscaleUnknown, "headscale has no such entry."),
    # input
    Row("cannot remove all tags", HeadscaleInvalid, "a tagged node keeps one tag at least."),
    Row("are invalid or not permitted", HeadscaleInvalid, "the policy names no owner for a tag: {words}."),
    Row("tag must start", HeadscaleInvalid, "a tag is `tag:` and a name."),
    Row("tag should be lowercase", HeadscaleInvalid, "a tag is lower case."),
    Row("tags must not contain spaces", HeadscaleInvalid, "a tag holds no spaces."),
    Row("netip.ParsePrefix", HeadscaleInvalid, "a route is a network such as 10.1.0.0/16: {words}."),
    Row("renaming node:", HeadscaleInvalid, "this cannot be a node's name: {words}."),
    Row("auth ID has invalid", HeadscaleInvalid, "this is not an id that headscale gives out."),
    Row("auth-key must be either", HeadscaleInvalid, "a key belongs to a user, or has tags."),
    Row("cannot set both disable_expiry and expiry", HeadscaleInvalid, "a node expires at a time, or never."),
    Row("provide either id or prefix", HeadscaleInvalid, "a key is named by id or by prefix."),
    Row("must provide id or prefix", HeadscaleInvalid, "a key is named by id or by prefix."),
    Row("not confirmed", HeadscaleInvalid, "headscale wants this confirmed."),
    # what a person can do something about
    Row("SQLITE_BUSY", HeadscaleFailed, "another program holds headscale's database: {words}."),
    Row("pinging database", HeadscaleFailed, "headscale's database does not answer: {words}."),
)

CODES: dict[str, tuple[type[Problem], str]] = {
    "NOT_FOUND": (HeadscaleUnknown, "headscale has no such thing: {words}."),
    "INVALID_ARGUMENT": (HeadscaleInvalid, "headscale does not take this: {words}."),
    "ALREADY_EXISTS": (HeadscaleConflict, "headscale has this already: {words}."),
    "UNIMPLEMENTED": (HeadscaleUnsupported, "the headscale that runs cannot do this."),
}


def problem(call: str, error: WireError, *, changes: bool = False) -> Problem:
    """What to tell a person about the failed `call`. `changes`: it is a write, of which a lost answer says nothing."""
    text = redact(error.text)
    facts = {"call": call, "grpc": error.code, "said": text[:KEPT]}
    sent = not error.text.startswith(_NEVER_SENT)
    doubt = " What was asked for may have been carried out all the same." if changes and sent else ""
    if error.code in {"UNAVAILABLE", "CANCELLED"}:
        return HeadscaleDown(f"headscale does not answer.{doubt}", **facts)
    if error.code == "DEADLINE_EXCEEDED":
        return HeadscaleSlow(f"headscale took too long to answer.{doubt}", **facts)
    if error.code == "RESOURCE_EXHAUSTED":
        whose = "answer is larger than hsadmin takes" if "CLIENT:" in error.text else "question is larger than headscale takes"
        return HeadscaleTooLarge(f"the {whose}: {_words(text)}.", **facts)
    if error.code != "UNIMPLEMENTED":
        for row in TEXTS:
            if row.fragment in error.text and (row.calls is None or call in row.calls) and call not in row.not_calls:
                return row.problem(row.sentence.format(words=_words(text)), **facts)
    kind, sentence = CODES.get(error.code, (HeadscaleFailed, "headscale failed: {words}."))
    return kind(sentence.format(words=_words(text)), **facts)


def _words(text: str) -> str:
    first = text.strip().replace("\n", "; ")[:SPOKEN].rstrip(" .;:")
    return first or "it gave no reason"
