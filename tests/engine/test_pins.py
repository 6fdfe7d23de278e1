"""What is shipped is whole, and says no to versions we do not speak with."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.engine import pins
from hsadmin.engine.pins import Platform
from hsadmin.errors import ReleaseUnsupported

LINUX = Platform("linux", "amd64")


class Shipped(SynchronousTestCase):
    def test_default_version_is_pinned_for_every_platform_we_know(self) -> None:
        shipped = pins.shipped()
        for platform in (LINUX, Platform("linux", "arm64"), Platform("darwin", "amd64"), Platform("darwin", "arm64")):
            self.assertIsNotNone(pins.asset_pin(shipped, "0.29.3", platform), platform)
        self.assertEqual(shipped["0.29.3"].module.zip, "h1:HtR0T+LiEC4PiUfiZnW1vz+jvDGlJy1YKKzGDPbuvRw=")

    def test_every_shipped_version_is_supported_and_can_be_built(self) -> None:
        for version, release in pins.shipped().items():
            pins.must_be_supported(version)
            self.assertTrue(release.module.zip and release.module.mod and release.go)

    def test_no_two_assets_share_a_hash(self) -> None:
        hashes = [one for release in pins.shipped().values() for one in release.assets.values()]
        self.assertEqual(len(hashes), len(set(hashes)))

    def test_what_was_not_found_has_no_pin(self) -> None:
        for version, platform in (("0.29.0", LINUX), ("0.29.3", Platform("freebsd", "amd64")), ("0.29.9", LINUX)):
            self.assertIsNone(pins.asset_pin(pins.shipped(), version, platform))


class Parse(SynchronousTestCase):
    def test_damaged_hashes_are_refused(self) -> None:
        good = {
            "go": "1.26.5",
            "module": {"zip": "h1:" + "a" * 43 + "=", "mod": "h1:" + "b" * 43 + "="},
            "assets": {"linux_amd64": "0" * 64},
        }
        pins.parse(json.dumps({"0.29.3": good}).encode())
        for broken in (
            good | {"assets": {"linux_amd64": "0" * 63}},
            good | {"assets": {"linux_amd64": "0" * 63 + "A"}},
            good | {"module": {"zip": "a" * 43, "mod": "h1:" + "b" * 43 + "="}},
            good | {"module": {"zip": "h1:" + "a" * 43 + "="}},
        ):
            with self.assertRaises(ValueError):
                pins.parse(json.dumps({"0.29.3": broken}).encode())


class Versions(SynchronousTestCase):
    def test_only_the_minor_we_speak_with(self) -> None:
        for version in ("0.29.0", "0.29.3", "0.29.12"):
            pins.must_be_supported(version)
        for version in ("0.28.0", "0.30.0", "0.29", "v0.29.3", "0.29.3-rc1", "0.29.03", "0.29.3\n", "", "../0.29.3"):
            with self.assertRaises(ReleaseUnsupported):
                pins.must_be_supported(version)


class Platforms(SynchronousTestCase):
    def test_names_in_gos_words(self) -> None:
        for system, machine, expected in (
            ("Linux", "x86_64", "linux/amd64"),
            ("Linux", "aarch64", "linux/arm64"),
            ("Darwin", "arm64", "darwin/arm64"),
            ("FreeBSD", "amd64", "freebsd/amd64"),
            ("Haiku", "Odd", "haiku/odd"),
        ):
            self.assertEqual(str(Platform.named(system, machine)), expected)
