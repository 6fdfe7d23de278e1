"""The table of calls is the compiled contract's."""

from __future__ import annotations

from hsadmin.headscale.methods import CROWD, METHODS, SERVICE, Patience, deadline
from hsadmin.headscale.pb import headscale_pb2 as pb
from tests.tables import TableCase, table


class Methods(TableCase):
    def test_all_of_the_contract_and_no_more(self) -> None:
        service = pb.DESCRIPTOR.services_by_name[SERVICE.rpartition(".")[2]]
        self.assertEqual(service.full_name, SERVICE)
        self.assertEqual(
            {method.name: (method.input_type.full_name, method.output_type.full_name) for method in service.methods},
            {name: (method.request.DESCRIPTOR.full_name, method.response.DESCRIPTOR.full_name) for name, method in METHODS.items()},
        )
        self.assertEqual(len(METHODS), 29)

    def test_reads_alone_are_asked_twice(self) -> None:
        reads = {name for name, method in METHODS.items() if not method.changes}
        self.assertEqual(
            reads, {"ListUsers", "ListPreAuthKeys", "GetNode", "ListNodes", "ListApiKeys", "GetPolicy", "CheckPolicy", "Health"}
        )
        self.assertEqual(reads, {name for name, method in METHODS.items() if method.repeatable})

    @table(
        ("a read, nobody", Patience.READ, 0, 10),
        ("a write, nobody", Patience.WRITE, 0, 30),
        ("a policy, nobody", Patience.POLICY, 0, 60),
        ("a read, 10,000", Patience.READ, 10_000, 20),
        ("a write, a crowd", Patience.WRITE, CROWD, 60),
    )
    def test_deadline(self, name: str, patience: Patience, population: int, seconds: float) -> None:
        self.assertEqual(deadline(patience, population), seconds)

    def test_deadlines_cover_what_was_seen(self) -> None:
        self.assertGreater(deadline(Patience.WRITE, 10_000), 2 * 49)  # RenameNode waits once, SetTags twice
        self.assertGreater(deadline(Patience.POLICY, 10_000), 300)
