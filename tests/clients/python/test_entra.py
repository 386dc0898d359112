"""Signing in: Entra's responses as seen by `azure-identity`."""

import unittest
from datetime import datetime, timedelta, timezone

import requests
from azure.core.exceptions import ClientAuthenticationError

from sandbox import (
    CLIENT, ENDPOINTS, GRAPH_SCOPE, UNKNOWN_ID, PATIENCE, VAULT_SCOPE, add_password, advance, application, claims,
    control, credential, propagated, remove_password, secrets,
)

ID, SECRET = ENDPOINTS["client"]["client_id"], ENDPOINTS["client"]["client_secret"]


def sandbox_now() -> datetime:
    return datetime.fromisoformat(control("GET", "clock").json()["now"][:19]).replace(tzinfo=timezone.utc)


class Entra(unittest.TestCase):
    def refused(self, client_id: str, secret: str, scope: str = GRAPH_SCOPE) -> tuple[int, dict, str]:
        """Returns status and body of the response, and the client's message for them."""
        answers = []
        identity = credential(client_id, secret, raw_response_hook=lambda seen: answers.append(seen.http_response))
        with self.assertRaises(ClientAuthenticationError) as caught:
            identity.get_token(scope)
        return answers[-1].status_code, answers[-1].json(), caught.exception.message

    def test_an_application_signs_in_with_the_secret_that_key_vault_holds(self):
        app = application("app-01")
        token = credential(app["appId"], secrets().get_secret("app-01").value).get_token(GRAPH_SCOPE)
        self.assertEqual(claims(token)["appid"], app["appId"])
        lifetime = token.expires_on - datetime.now(timezone.utc).timestamp()
        self.assertTrue(3590 < lifetime <= 3600, lifetime)

    def test_a_wrong_secret_is_refused_with_401_and_aadsts7000215(self):
        status, body, message = self.refused(ID, "wrong")
        self.assertEqual((status, body["error"], body["error_codes"]), (401, "invalid_client", [7000215]))
        self.assertIn("AADSTS7000215: Invalid client secret provided.", message)

    def test_an_expired_secret_is_refused_with_401_and_aadsts7000222(self):
        app = application("app-02")
        end = sandbox_now() + timedelta(hours=1)
        text = add_password(app["id"], endDateTime=end.isoformat().replace("+00:00", "Z"))["secretText"]
        advance("30m")
        self.assertTrue(credential(app["appId"], text).get_token(GRAPH_SCOPE).token)
        advance("31m")
        status, body, message = self.refused(app["appId"], text)
        self.assertEqual((status, body["error"], body["error_codes"]), (401, "invalid_client", [7000222]))
        self.assertIn("AADSTS7000222: The provided client secret keys for app", message)

    def test_an_unknown_application_is_refused_with_aadsts700016(self):
        status, body, message = self.refused(UNKNOWN_ID, "any")
        self.assertEqual((status, body["error"], body["error_codes"]), (400, "unauthorized_client", [700016]))
        self.assertIn("AADSTS700016: Application with identifier", message)

    def test_an_unknown_tenant_is_refused_with_aadsts90002(self):
        url = f"{ENDPOINTS['authority']}/{UNKNOWN_ID}/v2.0/.well-known/openid-configuration"
        answer = requests.get(url, timeout=PATIENCE)
        self.assertEqual((answer.status_code, answer.json()["error_codes"]), (400, [90002]))
        with self.assertRaisesRegex(Exception, "(?i)unable to get authority configuration"):
            credential(ID, SECRET, UNKNOWN_ID).get_token(GRAPH_SCOPE)

    def test_an_unknown_resource_is_refused_with_aadsts500011(self):
        _, body, message = self.refused(ID, SECRET, "https://nothing.example/.default")
        self.assertEqual((body["error"], body["error_codes"]), ("invalid_resource", [500011]))
        self.assertIn("AADSTS500011", message)

    def test_a_fresh_password_is_refused_as_wrong_until_it_has_propagated(self):
        app = application("app-03")
        text = add_password(app["id"])["secretText"]
        self.assertEqual(self.refused(app["appId"], text)[1]["error_codes"], [7000215])
        propagated()
        self.assertTrue(credential(app["appId"], text).get_token(GRAPH_SCOPE).token)

    def test_a_removed_password_is_refused_as_wrong_once_that_has_propagated(self):
        app = application("app-04")
        made = add_password(app["id"])
        propagated()
        self.assertTrue(credential(app["appId"], made["secretText"]).get_token(GRAPH_SCOPE).token)
        self.assertEqual(remove_password(app["id"], made["keyId"]).status_code, 204)
        propagated()
        self.assertEqual(self.refused(app["appId"], made["secretText"])[1]["error_codes"], [7000215])

    def test_a_token_for_a_resource_by_its_address_has_the_claims_of_version_1(self):
        found = claims(CLIENT.get_token(VAULT_SCOPE))
        self.assertEqual((found["ver"], found["aud"], found["appid"]), ("1.0", "https://vault.azure.net", ID))
        self.assertEqual(found["iss"], f"https://sts.windows.net/{ENDPOINTS['tenant_id']}/")
        self.assertNotIn("azp", found)

    def test_a_token_for_a_resource_by_its_application_id_has_the_claims_of_version_2(self):
        app = application("app-01")
        found = claims(CLIENT.get_token(f"{app['appId']}/.default"))
        self.assertEqual((found["ver"], found["aud"], found["azp"]), ("2.0", app["appId"], ID))
        self.assertTrue(found["iss"].endswith(f"/{ENDPOINTS['tenant_id']}/v2.0"), found["iss"])
        self.assertNotIn("appid", found)
