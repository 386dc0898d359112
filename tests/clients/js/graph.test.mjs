// Applications and their passwords: Graph's responses as seen by `@microsoft/microsoft-graph-client`.

import assert from 'node:assert/strict';
import test from 'node:test';
import { GraphError, PageIterator } from '@microsoft/microsoft-graph-client';

import { application, client, endpoints, graph, UNKNOWN_ID, now, propagated, refusal, unprivileged, VAULT_SCOPE } from './sandbox.mjs';

const api = graph();

/** As Graph writes times: seven digits after the second. */
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/;

const addPassword = (id, passwordCredential) => api.api(`/applications/${id}/addPassword`).post({ passwordCredential });
const removePassword = (id, keyId) => api.api(`/applications/${id}/removePassword`).post({ keyId });

test('addPassword returns the text once, with its hint', async () => {
  const { id } = await application('app-05');
  const made = await addPassword(id, { displayName: 'shown once' });
  assert.equal(made['@odata.context'], `${endpoints.graph}/v1.0/$metadata#microsoft.graph.passwordCredential`);
  assert.equal(made.displayName, 'shown once');
  assert.match(made.secretText, /^[0-9A-Za-z~._-]{40}$/);
  assert.equal(made.hint, made.secretText.slice(0, 3));
  assert.equal(made.customKeyIdentifier, null);
  await propagated();
  const { passwordCredentials } = await api.api(`/applications/${id}`).get();
  const read = passwordCredentials.find(({ keyId }) => keyId === made.keyId);
  const { '@odata.context': _, ...expected } = { ...made, secretText: null };
  assert.deepEqual(read, expected);
});

test('addPassword answers 200, not 201', async () => {
  const { id } = await application('app-05');
  const answer = await api.api(`/applications/${id}/addPassword`).responseType('raw').post({});
  assert.equal(answer.status, 200);
});

test('a password lasts two calendar years by default', async () => {
  const { id } = await application('app-05');
  const earliest = await now();
  const { startDateTime, endDateTime } = await addPassword(id, {});
  assert.match(startDateTime, DATE_TIME);
  assert.match(endDateTime, DATE_TIME);
  const [start, end] = [new Date(startDateTime), new Date(endDateTime)];
  assert.ok(start >= earliest && start - earliest < 60_000, startDateTime);
  const inTwoYears = new Date(start);
  inTwoYears.setUTCFullYear(start.getUTCFullYear() + 2);
  assert.equal(end.getTime(), inTwoYears.getTime());
});

test('a password lasts as long as requested', async () => {
  const { id } = await application('app-05');
  const endDateTime = new Date((await now()).getTime() + 86_400_000);
  const made = await addPassword(id, { endDateTime: endDateTime.toISOString() });
  assert.equal(new Date(made.endDateTime).getTime(), endDateTime.getTime());
});

test('removePassword answers 204 and the password is gone', async () => {
  const { id } = await application('app-06');
  const { keyId } = await addPassword(id, {});
  await propagated();
  const answer = await api.api(`/applications/${id}/removePassword`).responseType('raw').post({ keyId });
  assert.equal(answer.status, 204);
  assert.equal(await answer.text(), '');
  await propagated();
  const { passwordCredentials } = await api.api(`/applications/${id}`).get();
  assert.ok(passwordCredentials.every((found) => found.keyId !== keyId));
});

test('removing an unknown password is refused with 400, also one that was removed before', async () => {
  const { id } = await application('app-06');
  const { keyId } = await addPassword(id, {});
  await propagated();
  await removePassword(id, keyId);
  for (const unknown of [UNKNOWN_ID, keyId]) {
    const error = await refusal(removePassword(id, unknown));
    assert.ok(error instanceof GraphError);
    assert.equal(error.statusCode, 400);
    assert.equal(error.code, 'Request_BadRequest');
    assert.ok(error.message.startsWith(`No password credential found with keyId '${unknown}'`), error.message);
  }
});

test('an unknown application is refused with 404 and Request_ResourceNotFound', async () => {
  for (const path of [`/applications/${UNKNOWN_ID}`, `/applications(appId='${UNKNOWN_ID}')`]) {
    const error = await refusal(api.api(path).get());
    assert.ok(error instanceof GraphError);
    assert.equal(error.statusCode, 404);
    assert.equal(error.code, 'Request_ResourceNotFound');
  }
  assert.equal((await refusal(addPassword(UNKNOWN_ID, {}))).code, 'Request_ResourceNotFound');
});

test('an application id is not an object id', async () => {
  const { appId } = await application('app-05');
  assert.equal((await refusal(api.api(`/applications/${appId}`).get())).statusCode, 404);
});

test('an error has its time and the ids of the request', async () => {
  const request = api.api(`/applications/${UNKNOWN_ID}`).header('client-request-id', UNKNOWN_ID);
  const error = await refusal(request.get());
  const { innerError } = JSON.parse(error.body);
  assert.deepEqual(Object.keys(innerError).sort(), ['client-request-id', 'date', 'request-id']);
  assert.equal(innerError['client-request-id'], UNKNOWN_ID);
  assert.equal(error.requestId, innerError['request-id']);
  assert.ok(error.date instanceof Date && !Number.isNaN(error.date.getTime()));
});

test('an application is found by object id, by application id and by filter', async () => {
  const { id, appId } = await application('app-05');
  const byAppId = await api.api(`/applications(appId='${appId}')`).get();
  assert.equal(byAppId.id, id);
  assert.equal((await api.api(`/applications/${id}`).get()).appId, appId);
  const { value } = await api.api('/applications').filter(`appId eq '${appId}'`).get();
  assert.deepEqual(value.map((found) => found.id), [id]);
  assert.deepEqual((await api.api('/applications').filter(`appId eq '${UNKNOWN_ID}'`).get()).value, []);
});

test('passwords are added and removed by application id too', async () => {
  const { id, appId } = await application('app-07');
  const { keyId } = await api.api(`/applications(appId='${appId}')/addPassword`).post({});
  await propagated();
  const { passwordCredentials } = await api.api(`/applications/${id}`).get();
  assert.ok(passwordCredentials.some((found) => found.keyId === keyId));
  await api.api(`/applications(appId='${appId}')/removePassword`).post({ keyId });
});

test('$select leaves out what it does not name', async () => {
  const { id } = await application('app-05');
  const one = await api.api(`/applications/${id}`).select(['id', 'appId']).get();
  assert.deepEqual(Object.keys(one).sort(), ['@odata.context', 'appId', 'id']);
  const { value } = await api.api('/applications').select('displayName').top(1).get();
  assert.deepEqual(Object.keys(value[0]), ['displayName']);
});

test('all applications are listed, each exactly once, over the pages', async () => {
  const whole = await api.api('/applications').top(999).get();
  const expected = whole.value.map(({ id }) => id).sort();
  const first = await api.api('/applications').top(5).get();
  assert.equal(first.value.length, 5);
  assert.match(first['@odata.nextLink'], /\$skiptoken=/);
  const listed = [];
  await new PageIterator(api, first, ({ id }) => listed.push(id)).iterate();
  assert.ok(expected.length > 10);
  assert.deepEqual(listed.sort(), expected);
});

test('a page keeps $select over its next links', async () => {
  const first = await api.api('/applications').select('id').top(5).get();
  const next = await api.api(first['@odata.nextLink']).get();
  for (const found of next.value) assert.deepEqual(Object.keys(found), ['id']);
});

test('a token for another audience is refused with 401 and InvalidAuthenticationToken', async () => {
  const vaultToken = { getToken: () => client.getToken(VAULT_SCOPE) };
  const error = await refusal(graph(vaultToken).api('/applications').get());
  assert.equal(error.statusCode, 401);
  assert.equal(error.code, 'InvalidAuthenticationToken');
});

test('an application without a permission is refused with 403 and Authorization_RequestDenied', async () => {
  const { id } = await application('app-08');
  const { identity } = await unprivileged('app-08');
  const error = await refusal(graph(identity).api(`/applications/${id}/addPassword`).post({}));
  assert.equal(error.statusCode, 403);
  assert.equal(error.code, 'Authorization_RequestDenied');
  assert.equal(error.message, 'Insufficient privileges to complete the operation.');
});
