"""Access to a vault: roles and quotas."""

import unittest
from contextlib import contextmanager

from azure.core.exceptions import HttpResponseError

from sandbox import (
    GRAPH_SCOPE, add_password, advance, application, claims, control, credential, propagated, secrets,
)


class Access(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        secrets().set_secret("guarded", "text")
        app = application("app-09")
        identity = credential(app["appId"], add_password(app["id"])["secretText"])
        propagated()
        cls.client_id, cls.principal = app["appId"], claims(identity.get_token(GRAPH_SCOPE))["oid"]
        cls.vault = secrets("vault-1", identity)

    @contextmanager
    def role(self, role: str):
        assignment = {"principal": self.principal, "scope": {"vault": "vault-1"}, "role": role}
        control("PUT", "roles", assignment)
        try:
            yield
        finally:
            control("DELETE", "roles", assignment)

    def forbidden(self, operation, *arguments) -> HttpResponseError:
        with self.assertRaises(HttpResponseError) as caught:
            operation(*arguments)
        error = caught.exception
        found = (error.status_code, error.error.code, error.error.innererror)
        self.assertEqual(found, (403, "Forbidden", {"code": "ForbiddenByRbac"}))
        return error

    def test_an_identity_without_a_role_is_refused_with_403_and_forbidden_by_rbac(self):
        message = self.forbidden(self.vault.get_secret, "guarded").error.message
        self.assertIn(f"Caller: appid={self.client_id};oid={self.principal};", message)
        self.assertIn("Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'", message)

    def test_a_secrets_user_reads_and_does_not_write(self):
        with self.role("Key Vault Secrets User"):
            self.assertEqual(self.vault.get_secret("guarded").value, "text")
            self.forbidden(self.vault.set_secret, "guarded", "other")

    def test_a_reader_lists_and_does_not_read(self):
        with self.role("Key Vault Reader"):
            self.assertTrue(list(self.vault.list_properties_of_secret_versions("guarded")))
            self.forbidden(self.vault.get_secret, "guarded")

    def test_a_vault_takes_300_sets_in_ten_seconds_and_answers_the_next_with_429(self):
        vault = secrets("vault-3")
        advance("10s")
        for _ in range(300):
            vault.set_secret("busy", "text")
        with self.assertRaises(HttpResponseError) as caught:
            vault.set_secret("busy", "text")
        self.assertEqual((caught.exception.status_code, caught.exception.error.code), (429, "Throttled"))
        self.assertIn("Reason: VaultRequestTypeLimitReached", caught.exception.error.message)
        advance("10s")
        self.assertTrue(vault.set_secret("busy", "text"))
