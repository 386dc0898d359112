// The protected services: FHIR and DICOM, which accept tokens of `@azure/identity`.

import assert from 'node:assert/strict';
import test from 'node:test';

import { application, claims, client, credential, endpoints, secrets, GRAPH_SCOPE } from './sandbox.mjs';

const { fhir, dicom } = endpoints;

/** A rotated application, which has a role on both services. */
async function rotated() {
  const { appId } = await application('app-01');
  const { value } = await secrets('vault-1').getSecret('app-01');
  return credential(appId, value);
}

async function get(url, identity, scope) {
  const headers = identity ? { authorization: `Bearer ${(await identity.getToken(scope)).token}` } : {};
  const answer = await fetch(url, { headers });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: text && JSON.parse(text) };
}

const scopeOf = ({ audience }) => `${audience}/.default`;
const patients = `${fhir.url}/Patient?_count=1&_elements=id`;
const studies = `${dicom.url}/v2/studies?limit=1`;

test('FHIR shows its capabilities without a token', async () => {
  const { status, headers, body } = await get(`${fhir.url}/metadata`);
  assert.deepEqual([status, body.resourceType, body.fhirVersion], [200, 'CapabilityStatement', '4.0.1']);
  assert.match(headers.get('content-type'), /^application\/fhir\+json/);
});

test('FHIR returns a patient to an application with audience and role', async () => {
  const identity = await rotated();
  assert.equal(claims((await identity.getToken(scopeOf(fhir))).token).aud, fhir.audience);
  const { status, body } = await get(patients, identity, scopeOf(fhir));
  assert.deepEqual([status, body.resourceType, body.type], [200, 'Bundle', 'searchset']);
  assert.equal(body.entry[0].resource.resourceType, 'Patient');
});

test('FHIR refuses a missing token or another audience with 401, a missing role with 403, as outcomes', async () => {
  const cases = [
    [await get(patients), 401, 'login', 'Authentication failed.'],
    [await get(patients, await rotated(), GRAPH_SCOPE), 401, 'login', 'Authentication failed.'],
    [await get(patients, client, scopeOf(fhir)), 403, 'forbidden', 'Authorization failed.'],
  ];
  for (const [{ status, body }, expected, code, diagnostics] of cases) {
    assert.deepEqual([status, body.resourceType], [expected, 'OperationOutcome']);
    assert.deepEqual(body.issue, [{ severity: 'error', code, diagnostics }]);
  }
});

test('DICOM returns a study to an application with audience and role, and refuses all others', async () => {
  const { status, headers, body } = await get(studies, await rotated(), scopeOf(dicom));
  assert.deepEqual([status, body.length], [200, 1]);
  assert.match(headers.get('content-type'), /^application\/dicom\+json/);
  assert.equal((await get(studies)).status, 401);
  assert.equal((await get(studies, await rotated(), GRAPH_SCOPE)).status, 401);
  assert.equal((await get(studies, client, scopeOf(dicom))).status, 403);
});
