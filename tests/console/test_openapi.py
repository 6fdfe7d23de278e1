"""The document agrees with the table it is written from."""

from __future__ import annotations

import json
import re

from hsadmin.console.api import CALLS, LOCAL_CALLS
from hsadmin.console.openapi import described, document
from tests.console.support import DoorTestCase
from tests.console.test_app import TABLE
from tests.fakes.rooms import neighbours


class Document(DoorTestCase):
    def test_served(self) -> None:
        answer = self.ask(self.door(described(CALLS), neighbours()), "GET", "/admin/api/openapi.json")
        self.assertEqual((answer.status, answer.field("content-type"), answer.json["openapi"]), (200, "application/json", "3.1.0"))
        self.assertIn("/admin/api/openapi.json", answer.json["paths"])

    def test_every_call_is_in_it_and_no_local_one(self) -> None:
        paths = document(CALLS)["paths"]
        self.assertEqual({(path, method.upper()) for path, row in paths.items() for method in row}, {(c.path, c.method) for c in CALLS})
        self.assertFalse({call.path for call in LOCAL_CALLS} & set(paths))

    def test_every_reference_leads_somewhere(self) -> None:
        for table in (CALLS, LOCAL_CALLS, TABLE):
            written = document(table)
            references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(written)))
            self.assertTrue(references)
            self.assertLessEqual(references, set(written["components"]["schemas"]))

    def test_a_call_in_full(self) -> None:
        row = document(TABLE)["paths"]["/admin/api/things/{id}"]["put"]
        self.assertEqual(row["operationId"], "things.replace")
        self.assertEqual(row["parameters"], [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}])
        self.assertEqual(row["requestBody"]["content"]["application/json"]["schema"], {"$ref": "#/components/schemas/Thing"})
        self.assertEqual(row["responses"]["200"]["content"]["application/json"]["schema"], {"$ref": "#/components/schemas/Made"})
        self.assertEqual(list(row["responses"]["default"]["content"]), ["application/problem+json"])

    def test_answers_without_json(self) -> None:
        paths = document(TABLE)["paths"]
        self.assertEqual(list(paths["/admin/api/things/{id}"]["delete"]["responses"]), ["204", "default"])
        self.assertEqual(paths["/admin/api/public/text"]["get"]["responses"]["200"]["content"], {"text/plain": {}})
