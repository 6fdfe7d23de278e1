"""Every refusal of the product is a Problem: a stable code, an HTTP status and one sentence for a person.

A code is `room.what-happened`, never changes once released, and is what scripts and tests look at; the sentence may be improved at any time.
Sentences name the thing (file, key, port, path), what was found, and what to do; they never hold a secret or a traceback.
"""

from __future__ import annotations

from typing import ClassVar


class Problem(Exception):
    """A refusal. Subclasses fix `code`, `status` (HTTP) and `exit_status` (when it ends the program: sysexits, 78 is bad configuration)."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    exit_status: ClassVar[int] = 1

    def __init__(self, sentence: str, **facts: str | int) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.facts = facts


# — start, configuration, work directory —


class ConfigProblem(Problem):
    """hsadmin.yaml, or an option, cannot be used as it is."""

    code = "config.invalid"
    exit_status = 78


class WorkDirBusy(Problem):
    """Another hsadmin holds the work directory."""

    code = "workdir.busy"
    exit_status = 75


class WorkDirUnusable(Problem):
    """The work directory cannot be made, written or locked."""

    code = "workdir.unusable"
    exit_status = 73


class ListenFailed(Problem):
    """A listener of ours could not be opened."""

    code = "listen.failed"
    exit_status = 69


class FrontWorkerFailed(Problem):
    """A process of the public port could not be started."""

    code = "front.worker-failed"
    exit_status = 71


# — certificates —


class CertificateProblem(Problem):
    """A certificate or key cannot be used."""

    code = "certificate.unusable"
    exit_status = 78


# — engine: resolving, configuring and running headscale —


class ReleaseProblem(Problem):
    """No usable headscale binary; subclasses say why."""

    code = "release.unusable"
    status = 503


class ReleaseUnsupported(ReleaseProblem):
    """This hsadmin does not speak with headscale of the configured version."""

    code = "release.unsupported"


class ReleaseUnpinned(ReleaseProblem):
    """hsadmin knows no checksum to judge what it would fetch."""

    code = "release.unpinned"


class BinaryMissing(ReleaseProblem):
    """The supplied binary does not exist, or cannot be read."""

    code = "release.missing"


class BinaryHashMismatch(ReleaseProblem):
    """The SHA-256 is not the pinned one."""

    code = "release.hash-mismatch"


class BinaryTruncated(ReleaseProblem):
    """The file ends early."""

    code = "release.truncated"


class NotABinary(ReleaseProblem):
    """A web page, an archive or a text instead of a program."""

    code = "release.not-a-binary"


class NotHeadscale(ReleaseProblem):
    """A program that does not answer `version` as headscale does."""

    code = "release.not-headscale"


class BinaryForOtherPlatform(ReleaseProblem):
    """A program for another processor or operating system."""

    code = "release.wrong-architecture"


class BinaryOtherVersion(ReleaseProblem):
    """headscale, but not of the configured version."""

    code = "release.wrong-version"


class BinaryNotExecutable(ReleaseProblem):
    """The file may not be executed by us."""

    code = "release.not-executable"


class FolderNoexec(ReleaseProblem):
    """The file system forbids programs (mount option noexec)."""

    code = "release.noexec"


class BinaryChanged(ReleaseProblem):
    """Not the file that was accepted on first use."""

    code = "release.changed"


class TrustFileUnusable(ReleaseProblem):
    """The record of what was accepted on first use cannot be read or written."""

    code = "release.trust-file"


class ShelfUnusable(ReleaseProblem):
    """The folder of binaries cannot be made or written."""

    code = "release.shelf-unusable"


class ShelfFull(ReleaseProblem):
    """The disk has no room for the binary."""

    code = "release.no-space"


class DownloadUnreachable(ReleaseProblem):
    """The download host does not answer, or not with the release."""

    code = "release.unreachable"


class DownloadTooLarge(ReleaseProblem):
    """The download host sends more than a release can be."""

    code = "release.too-large"


class GoMissing(ReleaseProblem):
    """No Go that is new enough to build headscale."""

    code = "release.no-go"
    exit_status = 72  # contrib/run brings a Go and tries again


class SourceMismatch(ReleaseProblem):
    """The source code's hash is not the pinned one."""

    code = "release.source-mismatch"


class BuildFailed(ReleaseProblem):
    """Go could not fetch or compile headscale."""

    code = "release.build-failed"


class SettingsProblem(Problem):
    """headscale.yaml cannot be read, or holds what headscale would not take."""

    code = "settings.invalid"
    status = 503


class SettingsMalformed(SettingsProblem):
    """headscale.yaml is not YAML that hsadmin and headscale would read the same way."""

    code = "settings.malformed"


class SettingsNotSpliced(SettingsProblem):
    """headscale.yaml is written in a way in which one value cannot be changed without touching others."""

    code = "settings.not-spliced"


class SettingsUnreadable(SettingsProblem):
    """headscale.yaml is there but cannot be read."""

    code = "settings.unreadable"


class SettingsUnwritable(SettingsProblem):
    """headscale.yaml, or a file beside it, cannot be written."""

    code = "settings.unwritable"


class SettingsReadOnly(SettingsUnwritable):
    """The file system of headscale.yaml is mounted read-only."""

    code = "settings.read-only"


class SettingsNoSpace(SettingsUnwritable):
    """The disk of headscale.yaml is full."""

    code = "settings.no-space"


class EngineProblem(Problem):
    """headscale could not be started or kept running."""

    code = "engine.failed"
    status = 503


class NoFreePort(EngineProblem):
    """Not one free loopback port was found for headscale."""

    code = "engine.no-free-port"


# — headscale's answers —


class HeadscaleDown(Problem):
    """headscale is not running, or does not answer."""

    code = "headscale.down"
    status = 503


class HeadscaleRefused(Problem):
    """headscale said no; the sentence carries its words."""

    code = "headscale.refused"
    status = 409


class HeadscaleSlow(HeadscaleDown):
    """headscale did not answer in time; a write it was asked for may still be carried out."""

    code = "headscale.too-slow"
    status = 504


class HeadscaleFailed(HeadscaleRefused):
    """headscale failed in a way that we know no name for."""

    code = "headscale.failed"
    status = 500


class HeadscaleInvalid(HeadscaleRefused):
    """What was asked for cannot be: a name, tag, route, time or policy that breaks a rule. Often known before headscale is asked."""

    code = "headscale.invalid"
    status = 400


class HeadscaleConflict(HeadscaleRefused):
    """What was asked for is at odds with what is there: a name taken, a user who still has nodes, a policy changed meanwhile."""

    code = "headscale.conflict"


class HeadscaleHalfDone(HeadscaleRefused):
    """headscale carried the change out and then could not apply its policy to it. The stored policy needs repair, then a reload."""

    code = "headscale.half-done"


class PolicyDoubtful(HeadscaleRefused):
    """A policy was refused, or stored differently, and may run all the same until headscale reloads the stored one (SIGHUP)."""

    code = "headscale.policy-doubtful"


class PolicyReadOnly(HeadscaleRefused):
    """headscale reads its policy from a file and takes none over its API."""

    code = "headscale.policy-read-only"


class HeadscaleUnsupported(HeadscaleRefused):
    """The running headscale cannot do this, or does it by a contract that differs from ours."""

    code = "headscale.unsupported"
    status = 501


class HeadscaleTooLarge(HeadscaleRefused):
    """A question or an answer is larger than headscale, or we, take."""

    code = "headscale.too-large"
    status = 413


# — console —


class BadRequest(Problem):
    code = "request.invalid"
    status = 400


class Forbidden(Problem):
    code = "request.forbidden"
    status = 403


class NotFound(Problem):
    code = "request.not-found"
    status = 404


class HeadscaleUnknown(NotFound):
    """headscale has no such user, key, node, or waiting request."""

    code = "headscale.not-found"


class MethodNotAllowed(Problem):
    code = "request.method-not-allowed"
    status = 405


class TooLarge(Problem):
    code = "request.too-large"
    status = 413


class UnsupportedMediaType(Problem):
    code = "request.media-type"
    status = 415


# — command line —


class DaemonAway(Problem):
    """No hsadmin answers on the work directory's local socket."""

    code = "daemon.away"
    exit_status = 69


class DaemonRefused(Problem):
    """The running hsadmin said no; the sentence is its own."""

    code = "daemon.refused"


class UsageProblem(Problem):
    """The command line cannot be understood."""

    code = "usage"
    exit_status = 64
