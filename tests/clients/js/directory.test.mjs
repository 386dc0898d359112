// Graph beyond passwords: write access, policies and limits, batches, quotas, and the sign-in report.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { BatchRequestContent, BatchResponseContent, GraphError, RetryHandlerOptions } from '@microsoft/microsoft-graph-client';

import {
  advance, application, client, claims, control, endpoints, graph, UNKNOWN_ID, now, propagated, refusal, signIn, unprivileged,
  GRAPH_SCOPE,
} from './sandbox.mjs';

const GRAPH = 'https://graph.microsoft.com';
const GRAPH_APP_ID = '00000003-0000-0000-c000-000000000000';
const api = graph();

/** Without it the client would wait and try again, and hide what was answered first. */
const impatient = [new RetryHandlerOptions(undefined, 0)];

let visitor;
before(async () => {
  visitor = await unprivileged('app-10');
});

/** Graph in the visitor's name, with these permissions and no others. */
async function withRoles(...roles) {
  await control('PUT', 'app-roles', { principal: visitor.principal, resource: GRAPH, roles });
  return graph(visitor.identity);
}

async function denied(promise) {
  const error = await refusal(promise);
  assert.ok(error instanceof GraphError);
  assert.deepEqual([error.statusCode, error.code], [403, 'Authorization_RequestDenied']);
  assert.equal(error.message, 'Insufficient privileges to complete the operation.');
}

const addPassword = (as, id, passwordCredential = {}) =>
  as.api(`/applications/${id}/addPassword`).post({ passwordCredential });

test('a service principal is found by object id, by application id and by filter', async () => {
  const { appId } = await application('app-10');
  const found = await api.api(`/servicePrincipals(appId='${appId}')`).get();
  assert.equal(found.appId, appId);
  assert.equal(found.id, visitor.principal);
  assert.equal((await api.api(`/servicePrincipals/${found.id}`).get()).appId, appId);
  const { value } = await api.api('/servicePrincipals').filter(`appId eq '${GRAPH_APP_ID}'`).get();
  assert.deepEqual(value.map(({ displayName }) => displayName), ['Microsoft Graph']);
});

test('a filter accepts eq, in and startswith, and only properties that Graph has', async () => {
  const [one, two] = [await application('app-10'), await application('app-11')];
  const ids = async (filter) => (await api.api('/applications').filter(filter).get()).value.map(({ id }) => id).sort();
  assert.deepEqual(await ids(`appId in ('${one.appId}','${two.appId}')`), [one.id, two.id].sort());
  assert.deepEqual(await ids(`id eq '${one.id}'`), [one.id]);
  assert.ok((await ids("startswith(displayName,'Application of app-1')")).includes(two.id));
  assert.deepEqual(await ids("startswith(displayName,'unknown')"), []);
  const error = await refusal(api.api('/applications').filter("keyCredentials eq 'x'").get());
  assert.deepEqual([error.statusCode, error.code], [400, 'Request_UnsupportedQuery']);
});

test('a count needs the eventual consistency level', async () => {
  const { value } = await api.api('/applications').top(999).get();
  const counted = await api.api('/applications').header('ConsistencyLevel', 'eventual').count(true).top(1).get();
  assert.equal(counted['@odata.count'], value.length);
  const number = await api.api('/applications/$count').header('ConsistencyLevel', 'eventual').responseType('text').get();
  assert.equal(Number(number), value.length);
  assert.equal((await refusal(api.api('/applications/$count').get())).code, 'Request_BadRequest');
});

test('an application has its owners', async () => {
  const { id } = await application('app-10');
  const { value } = await api.api(`/applications/${id}/owners`).get();
  assert.deepEqual(value.map(({ appId }) => appId), [endpoints.daemon.client_id]);
});

test('Application.ReadWrite.OwnedBy reads all applications and writes owned ones only', async () => {
  const { id } = await application('app-11');
  const as = await withRoles('Application.ReadWrite.OwnedBy');
  assert.equal((await as.api(`/applications/${id}`).get()).id, id);
  await denied(addPassword(as, id));
  const owner = { '@odata.id': `${GRAPH}/v1.0/directoryObjects/${visitor.principal}` };
  await denied(as.api(`/applications/${id}/owners/$ref`).post(owner));
  await api.api(`/applications/${id}/owners/$ref`).post(owner);
  assert.ok((await addPassword(as, id)).secretText);
});

test('Application.Read.All reads and does not write, and without a permission nothing is allowed', async () => {
  const { id } = await application('app-12');
  const reader = await withRoles('Application.Read.All');
  assert.equal((await reader.api(`/applications/${id}`).get()).id, id);
  await denied(addPassword(reader, id));
  const powerless = await withRoles();
  await denied(powerless.api(`/applications/${id}`).get());
  await denied(powerless.api('/applications').get());
});

test('a policy refuses a password that lasts too long, also by default', async () => {
  const { id } = await application('app-14');
  const as = await withRoles('Application.ReadWrite.All', 'Policy.ReadWrite.ApplicationConfiguration');
  const passwordCredentials = [{ restrictionType: 'passwordLifetime', state: 'enabled', maxLifetime: 'P90D' }];
  const policy = await as.api('/policies/appManagementPolicies').post({
    displayName: 'short', isEnabled: true, restrictions: { passwordCredentials },
  });
  const reference = { '@odata.id': `${GRAPH}/v1.0/policies/appManagementPolicies/${policy.id}` };
  await as.api(`/applications/${id}/appManagementPolicies/$ref`).post(reference);
  const after = async (days) => new Date((await now()).getTime() + days * 86_400_000).toISOString();
  for (const wanted of [{}, { endDateTime: await after(91) }]) {
    const error = await refusal(addPassword(as, id, wanted));
    assert.deepEqual([error.statusCode, error.code], [400, 'CredentialInvalidLifetimeAsPerAppPolicy']);
    assert.equal(error.message, `Credential lifetime exceeds the max value allowed as per assigned policy '${policy.id}'.`);
  }
  assert.ok((await addPassword(as, id, { endDateTime: await after(89) })).secretText);
});

test('a policy refuses all passwords', async () => {
  const { id } = await application('app-15');
  const as = await withRoles('Application.ReadWrite.All', 'Policy.ReadWrite.ApplicationConfiguration');
  const passwordCredentials = [{ restrictionType: 'passwordAddition', state: 'enabled' }];
  const policy = await as.api('/policies/appManagementPolicies').post({
    displayName: 'none', isEnabled: true, restrictions: { passwordCredentials },
  });
  const reference = { '@odata.id': `${GRAPH}/v1.0/policies/appManagementPolicies/${policy.id}` };
  await as.api(`/applications/${id}/appManagementPolicies/$ref`).post(reference);
  const error = await refusal(addPassword(as, id));
  assert.deepEqual([error.statusCode, error.code], [400, 'CredentialTypeNotAllowedAsPerAppPolicy']);
});

test('an application has a limit on the number of passwords', async () => {
  const { id } = await application('app-16');
  await control('PATCH', `applications/${id}`, { passwordLimit: 2 });
  assert.ok(await addPassword(api, id));
  await propagated();
  const error = await refusal(addPassword(api, id));
  assert.deepEqual([error.statusCode, error.code], [403, 'Directory_ResourceSizeExceeded']);
  assert.match(error.message, /^The size of the object has exceeded its limit\./);
});

test('parallel writes to one application conflict, and every confirmed write has happened', async () => {
  const { id } = await application('app-17');
  const impatiently = () => api.api(`/applications/${id}/addPassword`).middlewareOptions(impatient).post({});
  const answers = await Promise.allSettled(Array.from({ length: 10 }, impatiently));
  const refused = answers.filter(({ status }) => status === 'rejected').map(({ reason }) => reason);
  assert.ok(refused.length > 0 && refused.length < 10, `${refused.length}`);
  for (const { statusCode } of refused) assert.equal(statusCode, 409);
  await propagated();
  const { passwordCredentials } = await api.api(`/applications/${id}`).get();
  for (const { value } of answers.filter(({ status }) => status === 'fulfilled')) {
    assert.ok(passwordCredentials.some(({ keyId }) => keyId === value.keyId));
  }
});

test('an application is registered, propagates, signs in with its own principal, and is deleted', async () => {
  const { id, appId } = await api.api('/applications').post({ displayName: 'made by hand' });
  await propagated();
  assert.equal((await api.api(`/applications/${id}`).get()).displayName, 'made by hand');
  const { secretText } = await addPassword(api, id);
  await propagated();
  assert.equal((await refusal(signIn(appId, secretText))).errorNo, 7000229);
  await api.api('/servicePrincipals').post({ appId });
  await propagated();
  assert.equal(claims((await signIn(appId, secretText)).accessToken).appid, appId);
  await api.api(`/applications/${id}`).patch({ displayName: 'changed by hand' });
  assert.equal((await api.api(`/applications/${id}`).get()).displayName, 'changed by hand');
  await api.api(`/applications/${id}`).delete();
  await propagated();
  assert.equal((await refusal(api.api(`/applications/${id}`).get())).statusCode, 404);
  assert.equal((await refusal(signIn(appId, secretText))).errorNo, 700016);
});

test('a disabled application is refused with AADSTS7000112', async () => {
  const { appId } = await application('app-18');
  const { id } = await api.api(`/servicePrincipals(appId='${appId}')`).get();
  await api.api(`/servicePrincipals/${id}`).patch({ accountEnabled: false });
  await propagated();
  const error = await refusal(signIn(appId, 'any'));
  assert.deepEqual([error.errorCode, error.errorNo], ['unauthorized_client', 7000112]);
});

test('a federated credential is created, listed and deleted', async () => {
  const { id } = await application('app-19');
  const federated = `/applications/${id}/federatedIdentityCredentials`;
  const wanted = { name: 'cluster', issuer: 'https://issuer.example', subject: 'pod', audiences: ['api://AzureADTokenExchange'] };
  const made = await api.api(federated).post(wanted);
  const { value } = await api.api(federated).get();
  const [{ name, issuer, subject, audiences }] = value;
  assert.deepEqual({ name, issuer, subject, audiences }, wanted);
  await api.api(`${federated}/${made.id}`).delete();
  assert.deepEqual((await api.api(federated).get()).value, []);
});

test('a batch answers each request separately, and refuses requests that depend on a refused one', async () => {
  const { id } = await application('app-10');
  const request = (path) => new Request(`${endpoints.graph}${path}`);
  const statuses = async (steps) => {
    const content = await new BatchRequestContent(steps).getContent();
    const answers = new BatchResponseContent(await api.api('/$batch').post(content));
    return steps.map((step) => answers.getResponseById(step.id).status);
  };
  const [known, unknown] = [`/applications/${id}`, `/applications/${UNKNOWN_ID}`].map(request);
  assert.deepEqual(await statuses([{ id: '1', request: known }, { id: '2', request: unknown }]), [200, 404]);
  const dependent = { id: '2', request: known, dependsOn: ['1'] };
  assert.deepEqual(await statuses([{ id: '1', request: unknown }, dependent]), [404, 424]);
});

test('a batch of more than twenty requests is refused', async () => {
  const requests = Array.from({ length: 21 }, (_, n) => ({ id: `${n}`, method: 'GET', url: '/applications' }));
  assert.equal((await refusal(api.api('/$batch').post({ requests }))).statusCode, 400);
});

test('an application that allows personal accounts accepts 60 writes a minute, also in batches', async () => {
  const { id } = await application('app-20');
  await api.api(`/applications/${id}`).patch({ signInAudience: 'AzureADandPersonalMicrosoftAccount' });
  await advance('2m');
  const write = (n) => ({
    id: `${n}`, method: 'POST', url: `/applications/${id}/removePassword`, body: { keyId: UNKNOWN_ID },
    headers: { 'Content-Type': 'application/json' },
  });
  const requests = Array.from({ length: 20 }, (_, n) => write(n));
  const statuses = [];
  for (let round = 0; round < 4; round += 1) {
    const { responses } = await api.api('/$batch').post({ requests });
    statuses.push(...responses.map(({ status }) => status));
  }
  assert.equal(statuses.filter((status) => status !== 429).length, 60);
  const { token } = await client.getToken(GRAPH_SCOPE);
  const answer = await fetch(`${endpoints.graph}/v1.0/applications/${id}/addPassword`, {
    method: 'POST', body: '{}', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  });
  assert.equal(answer.status, 429);
  assert.ok(Number(answer.headers.get('retry-after')) >= 1);
  assert.equal(answer.headers.get('x-ms-throttle-information'), 'WriteLimitExceeded');
  const scope = `Tenant_Application/ReadWrite/${endpoints.client.client_id}/${endpoints.tenant_id}`;
  assert.equal(answer.headers.get('x-ms-throttle-scope'), scope);
  const post = api.api(`/applications/${id}/addPassword`).middlewareOptions(impatient).post({});
  const error = await refusal(post);
  assert.deepEqual([error.statusCode, error.code], [429, 'TooManyRequests']);
  await advance('1m');
  assert.ok((await addPassword(api, id)).secretText);
});

test('a response has its cost', async () => {
  const { token } = await client.getToken(GRAPH_SCOPE);
  const answer = await fetch(`${endpoints.graph}/v1.0/applications`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(answer.headers.get('x-ms-resource-unit'), '2');
  assert.ok(answer.headers.get('x-ms-ags-diagnostic'));
  assert.ok(answer.headers.get('request-id'));
});

test('the sign-in report is beta, delayed, and names the credential', async () => {
  await control('PUT', 'reports', { lag: '1h', available: true });
  const { id, appId } = await application('app-21');
  const { keyId, secretText } = await addPassword(api, id);
  await propagated();
  await signIn(appId, secretText);
  const rows = async () => (await api.api('/reports/appCredentialSignInActivities').version('beta').filter(`keyId eq '${keyId}'`).get()).value;
  assert.deepEqual(await rows(), []);
  await advance('2h');
  const [row] = await rows();
  assert.deepEqual([row.keyId, row.appId, row.appObjectId, row.credentialOrigin], [keyId, appId, id, 'application']);
  assert.ok(row.signInActivity.lastSignInDateTime);
  await refusal(api.api('/reports/appCredentialSignInActivities').get());
});
