// Events of Key Vault, as Event Grid delivers them and `@azure/eventgrid` decodes them.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { EventGridDeserializer } from '@azure/eventgrid';

import { Receiver } from './receiver.mjs';
import { advance, control, now, secrets, vaultUrl } from './sandbox.mjs';

const CLOUD_EVENTS = { eventDeliverySchema: 'CloudEventSchemaV1_0' };
const NEW_VERSION = 'Microsoft.KeyVault.SecretNewVersionCreated';
const NEAR_EXPIRY = 'Microsoft.KeyVault.SecretNearExpiry';
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/;
const TOPIC = /^\/subscriptions\/[0-9a-f-]{36}\/resourceGroups\/[^/]+\/providers\/Microsoft\.KeyVault\/vaults\/vault-1$/;

const vault = secrets();
const decoder = new EventGridDeserializer();
let receiver;

before(async () => { receiver = await Receiver.start(); });
after(() => receiver.stop());

const eventsOf = ({ body }) => [body].flat();
const about = (subject, type = NEW_VERSION) => (delivery) =>
  eventsOf(delivery).some((event) => event.subject === subject && (event.eventType ?? event.type) === type);

/** Sets a secret and waits for its event. */
async function put(name, options) {
  const { properties } = await vault.setSecret(name, 'text', options);
  await advance('2m');
  return { version: properties.version, delivery: await receiver.delivery(about(name)) };
}

test('a webhook is subscribed once it returns the validation code', async () => {
  const { provisioningState } = await receiver.subscribe('first-schema');
  assert.equal(provisioningState, 'Succeeded');
  const { headers, body } = receiver.requests.find((request) => request.headers['aeg-event-type'] === 'SubscriptionValidation');
  assert.equal(headers['content-type'], 'application/json; charset=utf-8');
  assert.equal(body.length, 1);
  assert.equal(body[0].eventType, 'Microsoft.EventGrid.SubscriptionValidationEvent');
  assert.ok(body[0].data.validationCode && body[0].data.validationUrl);
  const [decoded] = await decoder.deserializeEventGridEvents(body);
  assert.equal(decoded.data.validationCode, body[0].data.validationCode);
});

test("an event in Event Grid's schema is decoded", async () => {
  const expiresOn = new Date('2031-01-01T00:00:00Z');
  const { version, delivery } = await put('first-event', { expiresOn });
  assert.equal(delivery.body.length, 1);
  assert.match(delivery.body[0].eventTime, TIME);
  const [event] = await decoder.deserializeEventGridEvents(delivery.body);
  assert.deepEqual([event.eventType, event.subject, event.dataVersion], [NEW_VERSION, 'first-event', '1']);
  assert.match(event.topic, TOPIC);
  assert.ok(event.id && event.eventTime instanceof Date);
  assert.deepEqual(delivery.body[0].data, {
    Id: `${vaultUrl('vault-1')}/secrets/first-event/${version}`,
    VaultName: 'vault-1', ObjectType: 'Secret', ObjectName: 'first-event', Version: version,
    NBF: null, EXP: `${expiresOn.getTime() / 1000}`,
  });
});

test('a delivery has the headers of Event Grid', async () => {
  const { delivery } = await put('with-headers');
  const { headers, body } = delivery;
  assert.equal(headers['content-type'], 'application/json; charset=utf-8');
  assert.equal(headers['aeg-subscription-name'].toLowerCase(), 'first-schema');
  assert.equal(headers['aeg-delivery-count'], '0');
  assert.equal(headers['aeg-data-version'], body[0].dataVersion);
  assert.equal(headers['aeg-metadata-version'], body[0].metadataVersion);
  assert.match(headers['aeg-output-event-id'], /^[0-9a-f-]{36}$/);
});

test('a refused delivery is tried again with a higher count', async () => {
  receiver.status = 500;
  await vault.setSecret('tried-again', 'text');
  await advance('2m');
  await receiver.delivery(about('tried-again'));
  receiver.status = 200;
  await advance('20m');
  const again = (delivery) => about('tried-again')(delivery) && delivery.headers['aeg-delivery-count'] !== '0';
  const { body } = await receiver.delivery(again);
  const first = receiver.notifications().find(about('tried-again'));
  assert.equal(first.headers['aeg-delivery-count'], '0');
  assert.equal(body[0].id, first.body[0].id);
});

test('an event requested by the controls is delivered', async () => {
  const delivered = await control('POST', 'events/vault-1/first-event');
  assert.equal(typeof delivered, 'object');
  const { body } = await receiver.delivery(about('first-event', NEAR_EXPIRY));
  assert.equal((await decoder.deserializeEventGridEvents(body))[0].eventType, NEAR_EXPIRY);
});

test('a CloudEvents webhook is subscribed once it allows the origin', async () => {
  const { provisioningState } = await receiver.subscribe('cloud-events', CLOUD_EVENTS);
  assert.equal(provisioningState, 'Succeeded');
  const { headers } = receiver.requests.find(({ method }) => method === 'OPTIONS');
  assert.equal(headers['webhook-request-origin'], 'eventgrid.azure.net');
});

test('a cloud event is decoded', async () => {
  const { properties } = await vault.setSecret('second-event', 'text');
  await advance('2m');
  const isCloud = (delivery) => about('second-event')(delivery) && !Array.isArray(delivery.body);
  const { headers, body } = await receiver.delivery(isCloud);
  assert.equal(headers['content-type'], 'application/cloudevents+json; charset=utf-8');
  assert.match(body.time, TIME);
  const [event] = await decoder.deserializeCloudEvents(body);
  assert.deepEqual([event.type, event.subject], [NEW_VERSION, 'second-event']);
  assert.match(event.source, TOPIC);
  assert.equal(body.specversion, '1.0');
  assert.equal(body.data.Version, properties.version);
  assert.deepEqual([body.data.NBF, body.data.EXP], [null, null]);
});

test('a webhook that does not consent is not subscribed', async () => {
  receiver.consents = false;
  const { provisioningState, reason } = await receiver.subscribe('refused', CLOUD_EVENTS);
  receiver.consents = true;
  assert.equal(provisioningState, 'Failed');
  assert.ok(reason);
});

test('an event is delivered for a disabled version too, without a mark', async () => {
  const { delivery } = await put('disabled-event', { enabled: false });
  assert.ok(!JSON.stringify(delivery.body).toLowerCase().includes('enabled'));
});

test('a version that ends within 30 days is near its expiry within minutes', async () => {
  const soon = new Date((await now()).getTime() + 10 * 86_400_000);
  await vault.setSecret('short-lived', 'text', { expiresOn: soon });
  await advance('20m');
  assert.ok(await receiver.delivery(about('short-lived', NEAR_EXPIRY)));
});

test('events of both schemas have their documented members and no others', async () => {
  await put('complete-event');
  const inSchema = (isCloud) =>
    receiver.delivery((found) => about('complete-event')(found) && isCloud !== Array.isArray(found.body));
  const [{ body: [event] }, { body: cloud }] = [await inSchema(false), await inSchema(true)];
  assert.deepEqual(Object.keys(event).sort(), ['data', 'dataVersion', 'eventTime', 'eventType', 'id', 'metadataVersion', 'subject', 'topic']);
  assert.deepEqual(Object.keys(cloud).sort(), ['data', 'id', 'source', 'specversion', 'subject', 'time', 'type']);
  for (const { data } of [event, cloud]) {
    assert.deepEqual(Object.keys(data).sort(), ['EXP', 'Id', 'NBF', 'ObjectName', 'ObjectType', 'VaultName', 'Version']);
  }
});
