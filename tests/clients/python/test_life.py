"""One manual rotation from start to end: an application and its secret."""

import unittest

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from sandbox import GRAPH_SCOPE, add_password, advance, application, credential, propagated, remove_password, secrets


class Life(unittest.TestCase):
    def test_a_secret_and_its_application_live_through_a_rotation(self):
        vault, app = secrets(), application("app-13")
        old = vault.get_secret("app-13")
        made = add_password(app["id"], displayName="by hand")
        propagated()
        for text in (made["secretText"], old.value):
            self.assertTrue(credential(app["appId"], text).get_token(GRAPH_SCOPE).token)

        published = vault.set_secret("app-13", made["secretText"], tags={"CredentialId": made["keyId"]})
        self.assertEqual(vault.get_secret("app-13").properties.version, published.properties.version)

        advance("7d")
        retired = old.properties.tags["CredentialId"]
        self.assertEqual(remove_password(app["id"], retired).status_code, 204)
        vault.update_secret_properties("app-13", old.properties.version, enabled=False)
        propagated()
        with self.assertRaisesRegex(ClientAuthenticationError, "AADSTS7000215"):
            credential(app["appId"], old.value).get_token(GRAPH_SCOPE)
        with self.assertRaisesRegex(HttpResponseError, "disabled secret"):
            vault.get_secret("app-13", old.properties.version)

        current = vault.get_secret("app-13").value
        self.assertTrue(credential(app["appId"], current).get_token(GRAPH_SCOPE).token)
