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


class SettingsProblem(Problem):
    """headscale.yaml cannot be read, or holds what headscale would not take."""

    code = "settings.invalid"
    status = 503


class EngineProblem(Problem):
    """headscale could not be started or kept running."""

    code = "engine.failed"
    status = 503


# — headscale's answers —


class HeadscaleDown(Problem):
    """headscale is not running, or does not answer."""

    code = "headscale.down"
    status = 503


class HeadscaleRefused(Problem):
    """headscale said no; the sentence carries its words."""

    code = "headscale.refused"
    status = 409


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


class MethodNotAllowed(Problem):
    code = "request.method-not-allowed"
    status = 405


class TooLarge(Problem):
    code = "request.too-large"
    status = 413


class UnsupportedMediaType(Problem):
    code = "request.media-type"
    status = 415
