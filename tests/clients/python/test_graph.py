"""Applications and their passwords with plain requests: this suite has no client for Graph."""

import unittest

from sandbox import UNKNOWN_ID, add_password, application, credential, graph, propagated, remove_password


class Graph(unittest.TestCase):
    def refused(self, answer, status: int, code: str) -> str:
        error = answer.json()["error"]
        self.assertEqual((answer.status_code, error["code"]), (status, code))
        self.assertEqual({"date", "request-id", "client-request-id"}, set(error["innerError"]))
        return error["message"]

    def test_add_password_returns_the_text_once_with_its_hint(self):
        object_id = application("app-05")["id"]
        made = add_password(object_id, displayName="shown once")
        self.assertEqual(made["hint"], made["secretText"][:3])
        propagated()
        shown = graph("GET", f"/applications/{object_id}").json()["passwordCredentials"]
        read = next(one for one in shown if one["keyId"] == made["keyId"])
        self.assertEqual((read["displayName"], read["hint"], read["secretText"]), ("shown once", made["hint"], None))

    def test_a_password_lasts_two_years_by_default(self):
        made = add_password(application("app-05")["id"])
        start, end = made["startDateTime"], made["endDateTime"]
        self.assertEqual(int(end[:4]) - int(start[:4]), 2)
        self.assertEqual(start[4:], end[4:])
        self.assertRegex(end, r"\.\d{7}Z$")

    def test_removing_an_unknown_password_is_refused_with_400(self):
        app = application("app-06")
        key_id = add_password(app["id"])["keyId"]
        propagated()
        removed = remove_password(app["id"], key_id)
        self.assertEqual((removed.status_code, removed.content), (204, b""))
        for unknown in (UNKNOWN_ID, key_id):
            message = self.refused(remove_password(app["id"], unknown), 400, "Request_BadRequest")
            self.assertTrue(message.startswith(f"No password credential found with keyId '{unknown}'"), message)

    def test_an_unknown_application_is_refused_with_404(self):
        self.refused(graph("GET", f"/applications/{UNKNOWN_ID}"), 404, "Request_ResourceNotFound")

    def test_two_slashes_are_accepted_as_one(self):
        app = application("app-05")
        self.assertEqual(graph("GET", f"//applications/{app['id']}").json()["appId"], app["appId"])

    def test_an_application_without_a_permission_is_refused_with_403(self):
        app = application("app-08")
        text = add_password(app["id"])["secretText"]
        propagated()
        answer = graph("POST", f"/applications/{app['id']}/addPassword", {}, credential(app["appId"], text))
        message = self.refused(answer, 403, "Authorization_RequestDenied")
        self.assertEqual(message, "Insufficient privileges to complete the operation.")
