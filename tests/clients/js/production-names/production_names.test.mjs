// Azure's own names: each client is created as documented, without any endpoint option.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { ClientSecretCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';
import { ConfidentialClientApplication } from '@azure/msal-node';
import { Client } from '@microsoft/microsoft-graph-client';
import { TokenCredentialAuthenticationProvider } from '@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials/index.js';

const scopes = ['https://graph.microsoft.com/.default'];
const endpoints = JSON.parse(readFileSync(`${process.env.SANDBOX_DIR}/endpoints.json`, 'utf8'));
const { tenant_id: tenant, client: { client_id: clientId, client_secret: clientSecret } } = endpoints;

const credential = new ClientSecretCredential(tenant, clientId, clientSecret);
const vault = new SecretClient('https://vault-1.vault.azure.net', credential);
const graph = Client.initWithMiddleware({
  authProvider: new TokenCredentialAuthenticationProvider(credential, { scopes }),
});

test('an unmodified @azure/identity and an unmodified @azure/msal-node sign in', async () => {
  assert.ok((await credential.getToken(scopes)).token);
  const authority = `https://login.microsoftonline.com/${tenant}`;
  const msal = new ConfidentialClientApplication({ auth: { clientId, clientSecret, authority } });
  assert.ok((await msal.acquireTokenByClientCredential({ scopes })).accessToken);
});

test('an unmodified @azure/keyvault-secrets sets, gets and lists a secret', async () => {
  const { properties } = await vault.setSecret('under-its-own-name', 'text');
  assert.equal(properties.id, `https://vault-1.vault.azure.net/secrets/under-its-own-name/${properties.version}`);
  assert.equal((await vault.getSecret('under-its-own-name')).value, 'text');
  const names = [];
  for await (const page of vault.listPropertiesOfSecrets().byPage({ maxPageSize: 1 })) names.push(...page);
  assert.ok(names.length > 1 && names.some(({ name }) => name === 'under-its-own-name'));
});

test('an unmodified @microsoft/microsoft-graph-client adds a password', async () => {
  const { value } = await graph.api('/applications').top(1).get();
  const made = await graph.api(`/applications/${value[0].id}/addPassword`).post({});
  assert.equal(made.secretText.length, 40);
  assert.equal(made['@odata.context'], 'https://graph.microsoft.com/v1.0/$metadata#microsoft.graph.passwordCredential');
});
