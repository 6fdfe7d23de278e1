"""Why headscale ended: an exit status or a signal, and its last lines, become one sentence (pure).

The words are those of the real 0.29.3. Rows are tried in order, the special before the general, on each of the child's telling lines
(fatal ones first), so that "init state: initializing policy manager: …" is a broken policy and not merely "some error". What no row knows
keeps headscale's own words. Codes are for scripts and tests; sentences name the thing and what can be done.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

import msgspec

QUOTED = 300  # characters of headscale's words in a sentence


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a child ended: exactly one of the two is not None."""

    status: int | None = None
    signal: int | None = None


class Explanation(msgspec.Struct, frozen=True):
    code: str
    sentence: str


class _Row(msgspec.Struct, frozen=True):
    code: str
    pattern: re.Pattern[str]
    sentence: str


def _row(code: str, pattern: str, sentence: str) -> _Row:
    return _Row(f"engine.{code}", re.compile(pattern), sentence)


CATALOGUE: Sequence[_Row] = (
    # — the database —
    _row(
        "database-newer",
        r"headscale version (?P<this>\S+) cannot be used with a database last used by (?P<last>[^\s,]+), downgrading",
        "The database was last used by headscale {last}; this is {this}, and it does not open newer databases: "
        "run {last} or newer, or restore a backup from before that change.",
    ),
    _row(
        "database-too-old",
        r"headscale version (?P<this>\S+) cannot be used with a database last used by (?P<last>[^\s,]+), upgrading"
        r".*latest (?P<step>v\d+\.\d+\.x)",
        "The database was last used by headscale {last}, too long before {this}: run the latest {step} on it once, then {this}.",
    ),
    _row(
        "database-version",
        r"version check: (?P<words>headscale version \S+ cannot be used .*|parsing .*)",
        "This headscale refuses the version that its database names: {words}.",
    ),
    _row(
        "schema-altered",
        r"validating schema: invalid schema|SQLite schema failed to validate",
        "The database holds something that headscale did not put there{schema}: "
        "tables, columns, indexes, views and triggers of others must be removed.",
    ),
    _row(
        "database-damaged",
        r"(?P<words>file is not a database \(26\)|database disk image is malformed)",
        "headscale's database file is damaged ({words}): restore it from a backup.",
    ),
    _row(
        "disk-full",
        r"(?P<words>database or disk is full|no space left on device|disk quota exceeded)",
        "There is no space left where headscale writes ({words}): free some, it starts by itself then.",
    ),
    _row(
        "file-too-large",
        r"(?P<words>disk I/O error(?: \(\d+\))?|file too large|input/output error)",
        "headscale could not write its files ({words}): look at the disk, and at the limit of file sizes.",
    ),
    _row(
        "database-unwritable",
        r"(?P<words>attempt to write a readonly database|unable to open database file)",
        "headscale cannot open its database for writing ({words}): look at the owner and mode of the file and of its folder.",
    ),
    _row(
        "database-locked",
        r"(?P<words>database is locked(?: \(5\))?)",
        "Another program holds headscale's database ({words}): end it, perhaps a second headscale or an open sqlite3 shell.",
    ),
    _row(
        "database-failed",
        r"initializing database: (?P<words>.*)",
        "headscale could not open its database: {words}.",
    ),
    # — what it is told to enforce and to read —
    _row(
        "policy-ambiguous",
        r"multiple users found: token \"(?P<token>[^\"]*)\"",
        "The stored policy names {token}, which is now more than one user: rename one of them, or make the policy say which.",
    ),
    _row(
        "policy-refused",
        r"(?:initializing policy manager|loading policy): (?P<words>.*)",
        "headscale does not accept the stored policy: {words}.",
    ),
    _row(
        "derp-map",
        r"(?P<words>(?:initial DERPMap is empty|getting DERPMap: ).*)",
        "headscale has no usable map of relays (derp in headscale.yaml): {words}.",
    ),
    _row(
        "stun-busy",
        r"failed to open STUN listener: listen udp (?P<address>\S+): bind: address already in use",
        "The UDP address {address}, which headscale needs for STUN, is in use by another program.",
    ),
    _row(
        "stun-failed",
        r"failed to open STUN listener: (?P<words>.*)",
        "headscale could not open its STUN listener: {words}.",
    ),
    _row(
        "port-busy",
        r"listen tcp (?P<address>\S+): bind: address already in use",
        "The TCP address {address}, which headscale needs, is in use by another program.",
    ),
    _row(
        "address-unusable",
        r"listen (?P<protocol>tcp|udp)\d? (?P<address>\S+): (?:bind: )?(?P<words>.*)",
        "headscale could not listen on {address} ({protocol}): {words}.",
    ),
    _row(
        "socket-failed",
        r"setting up gRPC socket: listen unix (?P<path>.+): bind: invalid argument",
        "The path of headscale's socket is too long ({path}): choose a shorter work directory.",
    ),
    _row(
        "socket-failed",
        r"setting up gRPC socket: (?P<words>.*)",
        "headscale could not open its socket: {words}.",
    ),
    _row(
        "extra-records",
        r"setting up extrarecord manager: (?P<words>.*)",
        "headscale could not read the extra DNS records (dns.extra_records_path in headscale.yaml): {words}.",
    ),
    _row(
        "oidc-unreachable",
        r"creating OIDC provider from issuer config: (?P<words>.*)",
        "headscale did not get an answer it can use from the OIDC issuer (oidc.issuer in headscale.yaml): {words}.",
    ),
    _row(
        "key-unusable",
        r"reading or creating (?P<which>Noise|DERP server)[^:]*: (?P<words>.*)",
        "headscale cannot use its {which} key file: {words}.",
    ),
    # — headscale.yaml —
    _row(
        "config-unreadable",
        r"error loading config file (?P<path>\S+).*?(?P<words>(?:While parsing config: |open ).*?)\"?$",
        "headscale cannot read {path}: {words}.",
    ),
    _row(
        "config-removed-key",
        r"The \"(?P<key>[^\"]+)\" configuration key has been removed\.(?P<words>.*)",
        "headscale.yaml has {key}, which this headscale no longer knows. {words}.",
    ),
    _row(
        "config-invalid",
        r"loading configuration: (?:Fatal config error: )?(?P<words>.*)",
        "headscale does not accept headscale.yaml: {words}.",
    ),
    # — the program itself —
    _row(
        "memory",
        r"(?:fatal error: (?:runtime: )?|runtime: )(?P<words>out of memory.*|cannot allocate memory.*|failed to reserve .*)",
        "headscale ran out of memory ({words}).",
    ),
    _row(
        "stack",
        r"(?P<words>goroutine stack exceeds .*|stack overflow.*)",
        "headscale crashed, its stack grew without end ({words}): this is a fault in headscale.",
    ),
    _row(
        "panic",
        r"^(?:panic|fatal error): (?P<words>.*)",
        "headscale crashed ({words}): this is a fault in headscale.",
    ),
    _row(
        "spawn-failed",
        r"^Upon execvpe (?P<path>\S+)",
        "{path} could not be run.",
    ),
    # — whatever else it says on leaving —
    _row(
        "config-invalid",
        r"^fatal (?P<words>(?:fatal config error|dns\.|invalid database type).*)",
        "headscale does not accept headscale.yaml: {words}.",
    ),
    _row(
        "failed",
        r"^(?:Error: (?:headscale ran into an error and had to shut down: |initializing: )?|fatal )(?P<words>.*)",
        "headscale gave up: {words}.",
    ),
)

_SCHEMA = re.compile(r"^>> (?P<change>.*)")

_SIGNALS = {
    signal.SIGKILL: "by a person, or by the system because memory ran out",
    signal.SIGTERM: "while it was starting, when it cannot yet end in order",
    signal.SIGINT: "while it was starting, when it cannot yet end in order",
    signal.SIGHUP: "while it was starting, when it does not yet listen to it",
    signal.SIGILL: "the binary is perhaps made for another processor",
    signal.SIGSYS: "a sandbox forbids a system call it needs",
    signal.SIGXFSZ: "the limit of file sizes is too low",
    signal.SIGXCPU: "the limit of processor time is too low",
}


def explain(ending: Ending, telling: Sequence[str], lines: Sequence[str]) -> Explanation:
    """One sentence on why the child ended.

    `telling`: its fatal lines, oldest first; `lines`: its last lines, newest last; all redacted, one line each. A signal explains itself;
    lines count for an exit with a status only, because a killed child had no time to say why.
    """
    if ending.signal is not None:
        return _killed(ending.signal)
    if ending.status == 0:
        return Explanation(
            "engine.exited", "headscale ended in order, although hsadmin had not asked it to: somebody sent it SIGTERM, SIGINT or SIGQUIT."
        )
    said = [*telling, *(line for line in reversed(lines) if line not in telling)]
    for candidates in (telling, said):
        for row in CATALOGUE:
            for line in candidates:
                match = row.pattern.search(line)
                if match is not None:
                    return Explanation(row.code, _fill(row.sentence, match, said))
    last = said[0] if said else ""
    words = f"; its last words: {_short(last)}" if last else " and said nothing"
    return Explanation("engine.exited", f"headscale ended with exit status {ending.status}{words}.")


def _killed(number: int) -> Explanation:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    why = _SIGNALS.get(number)  # type: ignore[call-overload]  # a signal's number finds its Signals member
    return Explanation("engine.killed", f"headscale was killed by {name}{f' ({why})' if why else ''}.")


def _fill(sentence: str, match: re.Match[str], said: Sequence[str]) -> str:
    words = {name: _short(value or "").rstrip(".") for name, value in match.groupdict().items()}
    changes = [found["change"] for line in said if (found := _SCHEMA.match(line))]
    schema = f" ({_short('; '.join(dict.fromkeys(changes)))})" if changes else ""
    return sentence.format(**words, schema=schema)


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= QUOTED else f"{text[: QUOTED - 1]}…"
