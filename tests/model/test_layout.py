"""Where things lie in the work directory."""

from __future__ import annotations

import socket
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.model.layout import LONGEST_SOCKET_PATH, Layout, socket_path_bytes

LAYOUT = Layout(Path("/var/lib/hsadmin"))


class Names(SynchronousTestCase):
    def test_parents_come_before_what_is_in_them(self) -> None:
        for place, folder in enumerate(LAYOUT.folders[1:], 1):
            self.assertIn(folder.parent, LAYOUT.folders[:place])

    def test_every_socket_is_in_the_run_folder(self) -> None:
        self.assertEqual({path.parent for path in LAYOUT.sockets}, {LAYOUT.run})

    def test_no_name_stands_for_two_things(self) -> None:
        names = [name for name in dir(Layout) if isinstance(getattr(Layout, name), property)]
        paths = [path for name in names if isinstance(path := getattr(LAYOUT, name), Path)]
        self.assertEqual(len(set(paths)), len(paths))

    def test_paths_are_counted_in_bytes(self) -> None:
        self.assertEqual(socket_path_bytes(Path("/ü")), 3)

    def test_the_longest_is_what_the_system_takes(self) -> None:
        """Longer ones are refused before the kernel is asked; the longest one gets as far as a folder that is not there."""
        for length, words in ((LONGEST_SOCKET_PATH, "No such file"), (LONGEST_SOCKET_PATH + 1, "too long")):
            with socket.socket(socket.AF_UNIX) as probe:
                error = self.assertRaises(OSError, probe.bind, "/nowhere/".ljust(length, "s"))
                self.assertIn(words, str(error))
