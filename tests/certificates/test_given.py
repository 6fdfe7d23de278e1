"""The certificate of a front worker."""

from __future__ import annotations

import trustme
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hsadmin.certificates.given import Given
from hsadmin.certificates.pair import parse, pem
from hsadmin.errors import CertificateProblem
from hsadmin.interfaces import ICertificates
from tests.fakes.tls import handshake, pem_pair

NAME = "hs.example.com"


class GivenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ca = trustme.CA()
        self.given = Given()

    def test_it_shows_what_it_is_given(self) -> None:
        """As the main process hands it on: parsed, and written again."""
        chain, key = pem(parse(*pem_pair(self.ca, NAME), chain_name="chain", key_name="key"))
        self.given.take(chain, key, publicly_trusted=True, summary="a good one")
        verifyObject(ICertificates, self.given)
        self.assertTrue(handshake(self.given.context(), NAME, self.ca.cert_pem.bytes().decode()))
        self.assertEqual((self.given.publicly_trusted, self.given.summary, self.given.pem()), (True, "a good one", (chain, key)))

    def test_what_cannot_be_shown_changes_nothing(self) -> None:
        self.given.take(*pem_pair(self.ca, NAME), publicly_trusted=True, summary="a good one")
        before = self.given.context()
        with self.assertRaises(CertificateProblem):
            self.given.take(pem_pair(self.ca, NAME)[0], pem_pair(self.ca, NAME)[1], publicly_trusted=False, summary="a mix")
        self.assertIs(self.given.context(), before)
        self.assertTrue(self.given.publicly_trusted)
